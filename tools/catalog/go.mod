module github.com/farebox-go/farebox/tools/catalog

go 1.25.0
