package farebox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// SignatureHeader carries the signature of an event that [WithWebhook] posts: "t=SECONDS,v1=HEX", where HEX is the
// HMAC-SHA256, with the secret, of SECONDS, a full stop and the body. See [VerifySignature].
const SignatureHeader = "Farebox-Signature"

const (
	webhookTimeout = 10 * time.Second // of one delivery
	webhookTries   = 5
)

// WithWebhook posts every [Event] as JSON to a URL, signed with a secret. A delivery that fails, or that is answered with
// 429 or 5xx, is tried again a few times with growing waits; then it is logged and given up. Deliveries queue as those of
// [WithEvents] do. Redirects are not followed.
func WithWebhook(to, secret string) MeterOption {
	return meterOption(func(c *meterConfig) error {
		parsed, err := url.Parse(to)
		switch {
		case err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "":
			return errors.New("WithWebhook: want an http or https URL with a host") // the URL may hold a token
		case secret == "":
			return errors.New("WithWebhook: the secret is empty")
		}
		hook := &webhook{url: to, secret: []byte(secret), client: &http.Client{
			Timeout: webhookTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: newBaseTransport(),
		}}
		c.events = append(c.events, hook.deliver)
		c.closers = append(c.closers, hook.client.CloseIdleConnections)
		return nil
	})
}

type webhook struct {
	url    string
	secret []byte
	client *http.Client
}

// deliver posts an event until it is taken.
func (w *webhook) deliver(ctx context.Context, e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	waits := backoff.WithContext(backoff.WithMaxRetries(backoff.NewExponentialBackOff(), webhookTries-1), ctx)
	return backoff.Retry(func() error { return w.post(ctx, body) }, waits)
}

func (w *webhook) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("webhook: the URL cannot be used"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, sign(w.secret, body, time.Now()))
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("webhook: %w", stripURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, drainBytes) // so that the connection can be used again
	switch {
	case isSuccess(resp.StatusCode):
		return nil
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return fmt.Errorf("webhook: answered %d", resp.StatusCode)
	}
	return backoff.Permanent(fmt.Errorf("webhook: answered %d", resp.StatusCode))
}

func sign(secret, body []byte, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(signature(secret, seconds, body))
}

func signature(secret []byte, seconds string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, seconds+".")
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}

// VerifySignature says whether a body was signed with a secret, no longer ago than tolerance, which guards against what is
// sent again later. header is that of [SignatureHeader]. Use it in the service that takes a webhook's posts.
func VerifySignature(secret string, header string, body []byte, tolerance time.Duration) bool {
	var seconds, given string
	for part := range bytes.SplitSeq([]byte(header), []byte(",")) {
		switch name, value, _ := bytes.Cut(part, []byte("=")); string(name) {
		case "t":
			seconds = string(value)
		case "v1":
			given = string(value)
		}
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	mac, hexErr := hex.DecodeString(given)
	if err != nil || hexErr != nil || time.Since(time.Unix(at, 0)).Abs() > tolerance {
		return false
	}
	return hmac.Equal(mac, signature([]byte(secret), seconds, body))
}
