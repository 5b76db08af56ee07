package fareboxtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t)
		first, second := p.Hold(), p.Hold()
		answers := make(chan int)
		for range 3 {
			go func() {
				resp, _, err := post(t, p, "/chat/completions", hello)
				if err != nil {
					t.Error(err)
				}
				answers <- resp.StatusCode
			}()
		}
		if err := p.WaitForRequests(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		first()
		first()
		synctest.Wait()
		select {
		case <-answers:
			t.Fatal("a call was answered while it was held")
		default:
		}
		second()
		for range 3 {
			if status := <-answers; status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		}
		if resp, _, err := post(t, p, "/chat/completions", hello); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("after the release: %v, %v", resp, err)
		}
	})
}

func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WaitForRequests(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := p.WaitForRequests(ctx, 0); err != nil {
		t.Errorf("nothing to wait for, but %v", err)
	}
}

// TestCancel leaves a call after a second, at each stage of its answer, with and without a provider that stops then.
func TestCancel(t *testing.T) {
	t.Parallel()
	const wholeAnswer = "0.00000285" // 3 tokens in, 4 out
	for _, c := range []struct {
		name    string
		fault   fareboxtest.Fault
		stopped string // what a provider that stops bills
	}{
		{"before the head", fareboxtest.Fault{DelayHead: time.Hour}, "0"},
		{"after the role", fareboxtest.Fault{DelayChunk: time.Hour}, "0.00000045"},
		{"after two words of 3 tokens", fareboxtest.Fault{DelayChunk: 400 * time.Millisecond}, "0.00000225"},
	} {
		for _, stops := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stops: %v", c.name, stops), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					options, want := []fareboxtest.Option{saying("Good day to you")}, wholeAnswer
					if stops {
						options, want = append(options, fareboxtest.StopOnCancel()), c.stopped
					}
					p := newProvider(t, options...)
					p.Inject(c.fault)
					leaveAfterASecond(t, p)
					synctest.Wait()
					fareboxtest.RequireCost(t, want, p.Billed())
				})
			})
		}
	}
}

func leaveAfterASecond(t *testing.T, p *fareboxtest.Provider) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL()+"/chat/completions", strings.NewReader(streaming("")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.HTTPClient().Do(req)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
}

func TestCloseReleases(t *testing.T) {
	t.Parallel()
	p := fareboxtest.NewProvider()
	p.Hold()
	failed := make(chan error)
	go func() {
		resp, err := http.Post(p.URL()+"/chat/completions", "application/json", strings.NewReader(hello))
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	if err := p.WaitForRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close()
	if <-failed == nil {
		t.Error("a held call was answered by Close")
	}
	if p.Billed() == (farebox.Money{}) {
		t.Error("the model had run, but nothing is billed")
	}
}
