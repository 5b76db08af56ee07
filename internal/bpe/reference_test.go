package bpe

import (
	"path"
	"sync"

	"github.com/pkoukk/tiktoken-go"
)

// embeddedLoader gives tiktoken-go the vocabularies of this package, so that it needs no network.
type embeddedLoader struct{}

// LoadTiktokenBpe implements [tiktoken.BpeLoader]. The name is the address that tiktoken-go would download from.
func (embeddedLoader) LoadTiktokenBpe(address string) (map[string]int, error) {
	name := path.Base(address)
	e, err := ByName(name[:len(name)-len(".tiktoken")])
	if err != nil {
		return nil, err
	}
	ranks := make(map[string]int)
	for id := range e.Size() {
		if token := e.vocab.token(uint32(id)); len(token) > 0 {
			ranks[string(token)] = id
		}
	}
	return ranks, nil
}

var references struct {
	mu    sync.Mutex
	built map[string]*tiktoken.Tiktoken
}

// reference gives tiktoken-go's tokenizer, which takes long to build.
func reference(t failer, name string) *tiktoken.Tiktoken {
	t.Helper()
	references.mu.Lock()
	defer references.mu.Unlock()
	if ref := references.built[name]; ref != nil {
		return ref
	}
	tiktoken.SetBpeLoader(embeddedLoader{})
	ref, err := tiktoken.GetEncoding(name)
	if err != nil {
		t.Fatal(err)
	}
	if references.built == nil {
		references.built = make(map[string]*tiktoken.Tiktoken)
	}
	references.built[name] = ref
	return ref
}
