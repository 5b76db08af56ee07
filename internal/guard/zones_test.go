package guard_test

import (
	"archive/zip"
	"crypto/sha256"
	"go/build"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Zones with something peculiar: midnights that do not exist or come twice, odd offsets, skipped days.
var peculiarZones = []string{
	"UTC", "America/Havana", "America/Santiago", "America/Sao_Paulo", "Atlantic/Azores", "America/Asuncion",
	"America/Scoresbysund", "Africa/Cairo", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Asia/Amman", "Asia/Kolkata",
	"Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Pacific/Kiritimati",
	"America/St_Johns", "America/New_York", "Europe/Berlin", "Africa/Casablanca", "Europe/Dublin", "Antarctica/Troll",
	"Africa/Juba", "Asia/Pyongyang", "America/Caracas", "Antarctica/Casey", "America/Nuuk", "Australia/Adelaide",
}

var zoneArchive = filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip")

// TestMain takes the zones from the Go distribution where it has them. Its tables end early and go on by yearly
// rules, which the tables of many systems do not, and package time is at its most peculiar under a rule.
func TestMain(m *testing.M) {
	if _, err := os.Stat(zoneArchive); err == nil {
		os.Setenv("ZONEINFO", zoneArchive)
	}
	os.Exit(m.Run())
}

// long says that everything is to be tried that there is, rather than a sample.
func long() bool { return os.Getenv("FAREBOX_LONG") != "" }

// zones returns every zone of the Go distribution, each set of rules once. Without FAREBOX_LONG it is the peculiar ones
// and every tenth of the others.
func zones(t *testing.T) []*time.Location {
	t.Helper()
	archive, err := zip.OpenReader(zoneArchive)
	if err != nil {
		t.Logf("no archive of zones, testing the peculiar ones only: %v", err)
		return named(t, peculiarZones...)
	}
	defer archive.Close()
	var names []string
	seen := map[[sha256.Size]byte]bool{}
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if sum := digest(t, f); !seen[sum] {
			seen[sum] = true
			names = append(names, f.Name)
		}
	}
	if len(names) < 300 {
		t.Fatalf("only %d sets of rules in %s", len(names), zoneArchive)
	}
	if !long() {
		sample := peculiarZones
		for i := 0; i < len(names); i += 10 {
			sample = append(sample[:len(sample):len(sample)], names[i])
		}
		names = sample
	}
	return named(t, names...)
}

func digest(t *testing.T, f *zip.File) [sha256.Size]byte {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

func named(t rapid.TB, names ...string) []*time.Location {
	t.Helper()
	var locs []*time.Location
	for _, name := range names {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Logf("zone not installed: %v", err)
			continue
		}
		locs = append(locs, loc)
	}
	if len(locs) == 0 {
		t.Skip("no time zones installed")
	}
	return locs
}
