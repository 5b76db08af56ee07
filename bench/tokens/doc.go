// Package tokens measures farebox's token counter beside other counters, and compares what they count.
//
// Each library is measured in a program that holds nothing else, so that none pays for another's garbage: the Go ones
// in those under programs and tokenizer, the npm ones in Node. All of them answer the same requests over a pipe and
// time themselves, so that the pipe is not in the figures. README.md says how to run it.
package tokens
