// Package bench measures what farebox adds to a call, and what its cap is worth, beside other ways to do the same work.
//
// Everything is measured in one process against one provider that answers from memory, so that the difference between
// two lines of a table is the difference between two clients and nothing else. README.md says how to run it.
package bench
