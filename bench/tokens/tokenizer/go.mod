module github.com/farebox-go/farebox/bench/tokens/tokenizer

go 1.26

require (
	github.com/farebox-go/farebox/bench/tokens v0.0.0
	github.com/tiktoken-go/tokenizer v0.10.0
)

require github.com/dlclark/regexp2/v2 v2.5.1 // indirect

replace (
	github.com/farebox-go/farebox => ../../../
	github.com/farebox-go/farebox/bench/tokens => ../
)
