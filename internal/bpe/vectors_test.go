package bpe

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
)

// TestVectors compares with what OpenAI's own library gives.
func TestVectors(t *testing.T) {
	t.Parallel()
	path := os.Getenv("FAREBOX_TOKEN_VECTORS")
	if path == "" {
		t.Skip("FAREBOX_TOKEN_VECTORS is not set")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	rows := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for ; lines.Scan(); rows++ {
		var row struct {
			Text, Encoding, Kind string
			Count                int
			First, Last          []uint32
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		e, err := ByName(row.Encoding)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Count(row.Text); got != row.Count {
			t.Errorf("%s, %s: Count(%.60q) = %d, want %d", row.Encoding, row.Kind, row.Text, got, row.Count)
		}
	}
	if err := lines.Err(); err != nil || rows < 2000 {
		t.Errorf("read %d rows: %v", rows, err)
	}
}
