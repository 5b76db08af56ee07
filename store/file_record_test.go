package store

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestHolderRecords: they are written as encoding/json writes them, whatever names are made of.
func TestHolderRecords(t *testing.T) {
	t.Parallel()
	bytesAsText := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) })
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]*`), bytesAsText)
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) int64 { return rapid.Int64().Draw(t, name) }
		r := &holderRecord{
			Account: Account{Key: text.Draw(t, "key"), Window: Window{Start: number("start"), End: number("end"), View: number("view")}},
			Client:  text.Draw(t, "client"), Granted: number("granted"), Returned: number("returned"), Over: number("over"),
		}
		want, err := json.Marshal(fileRecord{Holder: r})
		if err != nil {
			t.Fatal(err)
		}
		if got := appendHolder([]byte("before"), r); !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

// standing is where a client stands.
func (m *Memory) standing(client string, of *Account) *holderRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.position(client, of)
	return &holderRecord{Account: *of, Client: client, Granted: p.Granted, Returned: p.Returned, Over: p.Over}
}
