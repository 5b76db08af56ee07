package farebox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// turns lists when a budget's window turns from now on, each time a cap of a dollar is spent and refused until then. The
// clock of these tests starts at midnight UTC of Saturday, 1 January 2000.
func turns(t *testing.T, window farebox.Window, n int) (all []time.Time) {
	t.Helper()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: window}))
	for range n {
		mustSpend(t, meter, coinCall{limit: 100, tokens: 100})
		refused := mustRefuse(t, meter, coinCall{limit: 1})
		all = append(all, refused.ResetAt)
		time.Sleep(time.Until(refused.ResetAt) - 1)
		mustRefuse(t, meter, coinCall{limit: 1})
		time.Sleep(time.Nanosecond)
	}
	return all
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestLiteLLM34896_MidnightInTokyo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := turns(t, farebox.Daily.In("Asia/Tokyo"), 1)[0]
		if want := time.Date(2000, 1, 2, 0, 0, 0, 0, zone(t, "Asia/Tokyo")); !first.Equal(want) {
			t.Errorf("resets at %v, want %v", first, want)
		}
	})
}

func TestLiteLLM40978_ADayInShanghaiHas24Hours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := turns(t, farebox.Daily.In("Asia/Shanghai"), 40)
		for i := 1; i < len(all); i++ {
			if day := all[i].Sub(all[i-1]); day != 24*time.Hour {
				t.Errorf("from %v on a day of %v", all[i-1], day)
			}
		}
	})
}

func TestLiteLLM21754_DaysFollowTheClocksOfTheirZone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		york := zone(t, "America/New_York")
		lengths := map[time.Duration]int{}
		all := turns(t, farebox.Daily.In("America/New_York"), 366)
		for i, at := range all {
			if local := at.In(york); local.Hour() != 0 || local.Minute() != 0 {
				t.Errorf("turns at %v", local)
			}
			if i > 0 {
				lengths[at.Sub(all[i-1])]++
			}
		}
		if lengths[23*time.Hour] != 1 || lengths[25*time.Hour] != 1 || lengths[24*time.Hour] != 363 {
			t.Errorf("days of %v", lengths)
		}
	})
}

func TestLiteLLM41211_WeeksStartOnMonday(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, at := range turns(t, farebox.Weekly, 4) {
			if at.UTC().Weekday() != time.Monday || at.UTC().Hour() != 0 {
				t.Errorf("turns at %v", at)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		for _, at := range turns(t, farebox.Weekly.StartingOn(time.Sunday), 4) {
			if at.UTC().Weekday() != time.Sunday {
				t.Errorf("turns at %v", at)
			}
		}
	})
}
