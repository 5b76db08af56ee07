package farebox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// keptHeader is the first line of a list that is kept; the list follows as it was fetched.
type keptHeader struct {
	Format       PriceFormat `json:"format"`
	Source       string      `json:"source"`
	FetchedAt    time.Time   `json:"fetched_at"`
	ETag         string      `json:"etag,omitzero"`
	LastModified string      `json:"last_modified,omitzero"`
	SHA256       string      `json:"sha256"` // of the list
}

// keptFile is where a source's list is kept.
func keptFile(folder string, source *PriceSource) string {
	sum := sha256.Sum256([]byte(source.URL)) // two files of one's own, or of two models' endpoints, are of one format
	return filepath.Join(folder, string(source.Format)+"-"+hex.EncodeToString(sum[:4])+".prices")
}

// keep writes a list in one step: a reader finds the old one or the new one, whole.
func keep(folder string, source *PriceSource, answer *priceAnswer, now time.Time) error {
	sum := sha256.Sum256(answer.body)
	header, err := json.Marshal(keptHeader{
		Format: source.Format, Source: source.name(), FetchedAt: now, ETag: answer.etag, LastModified: answer.lastModified,
		SHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".prices-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // where it still has that name
	_, err = file.Write(append(append(header, '\n'), answer.body...))
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), keptFile(folder, source))
}

// readKept reads a list that was kept, and refuses one that is not what was written.
func readKept(name string) (*PriceList, *keptHeader, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > MaxPriceListBytes+1<<16 {
		return nil, nil, fmt.Errorf("%s has %d bytes", name, info.Size())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	first, body, _ := bytes.Cut(data, []byte("\n"))
	var header keptHeader
	if err := json.Unmarshal(first, &header); err != nil {
		return nil, nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != header.SHA256 {
		return nil, nil, fmt.Errorf("%s is damaged: it is not what was kept", name)
	}
	list, err := ReadPriceList(header.Format, header.Source, header.FetchedAt, bytes.NewReader(body))
	return list, &header, err
}

// takeKept puts the lists that are kept in force, for sources that have not been read yet. One that is missing or damaged
// is as good as none: the next fetch replaces it.
func (c *Catalog) takeKept(how *Refresh) {
	if how.KeepIn == "" {
		return
	}
	for i := range how.Sources {
		source := &how.Sources[i]
		if c.fetched[source.URL] != nil {
			continue
		}
		list, header, err := readKept(keptFile(how.KeepIn, source))
		if err != nil || list.Format != source.Format || c.Use(list) != nil {
			continue
		}
		c.remember(source, &priceAnswer{etag: header.ETag, lastModified: header.LastModified}, len(list.Models))
	}
}

// UseKept takes the lists that refreshes have kept in a folder (Refresh.KeepIn) into the catalog, as [Catalog.Use] does,
// without asking the network, and returns them. A folder that is not there has none. The error names those that are damaged,
// which are left out.
func (c *Catalog) UseKept(folder string) ([]*PriceList, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.prices"))
	if err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	var lists []*PriceList
	var errs []error
	for _, name := range names {
		list, _, err := readKept(name)
		if err == nil {
			err = c.Use(list)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("farebox: kept price list: %w", err))
			continue
		}
		lists = append(lists, list)
	}
	return lists, errors.Join(errs...)
}
