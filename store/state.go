package store

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// This file takes the state out of a Memory, and puts it into one.

// How long a file remembers what can hardly matter any more: windows after their end, which nothing counts, and ids of
// corrections, so that a repeated one changes nothing.
const (
	keepEnded     = 7 * 24 * time.Hour
	keepCorrected = 90 * 24 * time.Hour
)

func (m *Memory) restore(r *holderRecord) {
	p := m.position(r.Client, &r.Account)
	used := p.Used
	p.change(r.Granted, r.Returned, r.Over)
	m.save(r.Client, &r.Account, &p, p.Used-used)
}

func (m *Memory) restoreBalance(r *balanceRecord) { m.window(&r.Account).used = r.Used }

// retire folds what clients were granted into what is spent: they are gone.
func (m *Memory) retire() {
	for _, a := range m.accounts {
		for _, w := range a.windows {
			clear(w.holders)
			w.clients = 0
		}
	}
}

// expire forgets what ended long ago.
func (m *Memory) expire(now time.Time) {
	ended, corrected := now.Add(-keepEnded).UnixNano(), now.Add(-keepCorrected)
	for _, a := range m.accounts {
		maps.DeleteFunc(a.windows, func(_ int64, w *window) bool { return w.of.End != 0 && w.of.End < ended })
	}
	maps.DeleteFunc(m.accounts, func(_ string, a *account) bool { return len(a.windows) == 0 })
	maps.DeleteFunc(m.applied, func(_ string, at time.Time) bool { return at.Before(corrected) })
}

// snapshot is records that stand for the whole state.
func (m *Memory) snapshot() ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.open()
	if err != nil {
		return nil, err
	}
	m.expire(now)
	var records []fileRecord
	for key, a := range m.accounts {
		for _, start := range slices.Sorted(maps.Keys(a.windows)) { // a later window may drop those before it
			records = a.windows[start].appendRecords(records, key)
		}
	}
	for id, at := range m.applied {
		records = append(records, fileRecord{Correction: &correctionRecord{ID: id, At: at}})
	}
	encoded := make([][]byte, len(records))
	for i := range records {
		if encoded[i], err = json.Marshal(records[i]); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

// appendRecords appends what a window counts for those that are gone, and then where its clients stand.
func (w *window) appendRecords(records []fileRecord, key string) []fileRecord {
	of := Account{Key: key, Window: w.of}
	balance := &balanceRecord{Account: of, Used: w.used}
	records = append(records, fileRecord{Balance: balance})
	for client, h := range w.holders {
		balance.Used -= Add(h.granted, h.over) - h.returned
		records = append(records, fileRecord{Holder: &holderRecord{
			Account: of, Client: client, Granted: h.granted, Returned: h.returned, Over: h.over,
		}})
	}
	return records
}
