module github.com/farebox-go/farebox/internal/bpe/generate

go 1.25.0

require github.com/pkoukk/tiktoken-go-loader v0.0.2
