package farebox

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anyQuantity draws counts as calls have them, and up to more than any call ever had.
func anyQuantity() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(0, 50), rapid.Int64Range(0, 300_000), rapid.Int64Range(0, 1<<40))
}

// anyUsage draws a usage with any of its kinds.
func anyUsage() *rapid.Generator[Usage] {
	return rapid.Custom(func(t *rapid.T) Usage {
		var u Usage
		fields := reflect.ValueOf(&u).Elem()
		for i := range dimensionCount {
			if rapid.Bool().Draw(t, "has "+fields.Type().Field(i).Name) {
				fields.Field(i).SetInt(anyQuantity().Draw(t, fields.Type().Field(i).Name))
			}
		}
		return u
	})
}

// TestUsageFieldsAndDimensions holds the fields of Usage, the dimensions and their places together: a quantity that
// moved from one place to another would be charged at another's rate.
func TestUsageFieldsAndDimensions(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[Usage]()
	if fields.NumField() != dimensionCount+1 {
		t.Fatalf("Usage has %d fields, and there are %d dimensions and Units", fields.NumField(), dimensionCount)
	}
	for i := range dimensionCount {
		var u Usage
		reflect.ValueOf(&u).Elem().Field(i).SetInt(7)
		quantities := u.quantities()
		for place, quantity := range quantities {
			if want := map[bool]int64{true: 7}[place == i]; quantity != want {
				t.Errorf("with %s = 7 the quantity of %s is %d, want %d", fields.Field(i).Name, dimensions[place], quantity, want)
			}
		}
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		if strings.TrimSuffix(name, "es") != strings.TrimSuffix(string(dimensions[i]), "es") &&
			strings.TrimSuffix(name, "s") != string(dimensions[i]) {
			t.Errorf("field %s is %q in JSON, and its dimension %q", fields.Field(i).Name, name, dimensions[i])
		}
	}
}

func TestUsageCounts(t *testing.T) {
	t.Parallel()
	u := Usage{
		Input: 1, CacheRead: 2, CacheWrite: 4, CacheWrite1h: 8, AudioInput: 16, AudioCacheRead: 32, ImageInput: 64, ImageCacheRead: 128, VideoInput: 256,
		Output: 512, Reasoning: 1024, AudioOutput: 2048, ImageOutput: 4096, VideoOutput: 8192, Citation: 1 << 14, WebSearches: 1 << 15, Requests: 1 << 16,
	}
	if got := u.InputTokens(); got != 511 {
		t.Errorf("InputTokens() = %d, want 511", got)
	}
	if got := u.OutputTokens(); got != 15872 {
		t.Errorf("OutputTokens() = %d, want 15872", got)
	}
	if got := (Usage{}); got.InputTokens() != 0 || got.OutputTokens() != 0 {
		t.Errorf("the zero Usage counts tokens: %+v", got)
	}
}

// TestUsageSplit checks that a count does not depend on how the tokens in it are told apart.
func TestUsageSplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u := anyUsage().Draw(t, "usage")
		split := u
		fields := reflect.ValueOf(&split).Elem()
		for _, kinds := range [][2]int{{atInput, atVideoInput}, {atOutput, atVideoOutput}} {
			from := fields.Field(rapid.IntRange(kinds[0], kinds[1]).Draw(t, "from"))
			to := fields.Field(rapid.IntRange(kinds[0], kinds[1]).Draw(t, "to"))
			moved := rapid.Int64Range(0, from.Int()).Draw(t, "moved")
			from.SetInt(from.Int() - moved)
			to.SetInt(to.Int() + moved)
		}
		if u.InputTokens() != split.InputTokens() || u.OutputTokens() != split.OutputTokens() {
			t.Errorf("%+v counts %d and %d tokens, %+v %d and %d", u, u.InputTokens(), u.OutputTokens(),
				split, split.InputTokens(), split.OutputTokens())
		}
	})
}

func TestDimensionPlace(t *testing.T) {
	t.Parallel()
	for i, d := range dimensions {
		if place, ok := dimensionPlace(d); !ok || place != i {
			t.Errorf("dimensionPlace(%q) = %d, %t; want %d", d, place, ok, i)
		}
	}
	for _, d := range []Dimension{"", "Input", "inputs", "input ", "prompt"} {
		if place, ok := dimensionPlace(d); ok {
			t.Errorf("dimensionPlace(%q) = %d: it is no dimension", d, place)
		}
	}
}
