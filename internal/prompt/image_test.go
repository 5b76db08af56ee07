package prompt

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func pngHead(width, height uint32) []byte {
	head := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13, 'I', 'H', 'D', 'R')
	head = binary.BigEndian.AppendUint32(head, width)
	return append(binary.BigEndian.AppendUint32(head, height), 8, 6, 0, 0, 0)
}

func jpegHead(width, height uint16, segments ...int) []byte {
	head := []byte{0xFF, 0xD8}
	for _, size := range segments {
		head = append(head, 0xFF, 0xE1)
		head = binary.BigEndian.AppendUint16(head, uint16(size+2))
		head = append(head, make([]byte, size)...)
	}
	head = append(head, 0xFF, 0xFF, 0xC2, 0, 17, 8)
	head = binary.BigEndian.AppendUint16(head, height)
	return append(binary.BigEndian.AppendUint16(head, width), 3, 1, 0x22, 0)
}

func gifHead(width, height uint16) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte("GIF89a"), width), height)
}

func webpHead(kind string, rest ...byte) []byte {
	return append([]byte("RIFF\x00\x00\x00\x00WEBP"+kind+"\x00\x00\x00\x00"), append(rest, make([]byte, 10)...)...)
}

func dataURL(data []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(data)
}

func TestImageSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		head          []byte
		width, height int64
	}{
		{"PNG", pngHead(3008, 2000), 3008, 2000},
		{"GIF", gifHead(540, 360), 540, 360},
		{"JPEG", jpegHead(540, 360), 540, 360},
		{"JPEG with notes", jpegHead(540, 360, 14, 3000), 540, 360},
		{"WebP, lossy", webpHead("VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 0x1c, 0x02, 0x68, 0x01), 540, 360},
		{"WebP, lossless", webpHead("VP8L", 0x2f, 0x1b, 0xc2, 0x59, 0), 540, 360},
		{"WebP, extended", webpHead("VP8X", 0, 0, 0, 0, 0x1b, 0x02, 0, 0x67, 0x01, 0), 540, 360},
		{"cut", pngHead(1, 1)[:20], 0, 0},
		{"JPEG, cut", jpegHead(540, 360, 14)[:20], 0, 0},
		{"text", []byte("hello"), 0, 0},
		{"nothing", nil, 0, 0},
	} {
		if w, h := imageSize(c.head); w != c.width || h != c.height {
			t.Errorf("%s: %d by %d", c.name, w, h)
		}
	}
}

// TestImageTokens has what providers reported of images of known sizes, and what their documents work out.
func TestImageTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		model         string
		width, height int64
		low           bool
		want          int64
	}{
		{"gpt-4o", 3008, 2000, false, 1105},    // reported
		{"gpt-4o", 1024, 1024, false, 765},     // documented
		{"gpt-4o", 2048, 4096, false, 1105},    // documented
		{"gpt-4o", 4096, 8192, true, 85},       // documented
		{"gpt-4o", 512, 512, false, 255},       // no scaling up
		{"gpt-4o-mini", 512, 512, false, 8500}, // 2,833 and a tile
		{"gpt-4.1-nano", 540, 360, false, 502}, // reported
		{"gpt-4.1-mini", 1024, 1024, false, 1659},
		{"gpt-4.1-mini", 1800, 2400, false, 2353}, // documented: 1,452 patches
		{"gpt-4.1-mini", 1, 30000, false, 1520},
		{"claude-haiku-4-5", 540, 360, false, 260}, // reported
		{"claude-sonnet-4-5", 10000, 10000, false, 1568},
		{"gemini-2.0-flash", 540, 360, false, 1806},   // reported
		{"gemini-2.0-flash", 3008, 2000, false, 3354}, // reported
		{"gemini-2.5-flash", 400, 301, false, 258},    // reported
		{"gpt-4o", 0, 0, false, 1445},
		{"gpt-4o", 1 << 40, 7, false, 1445},
		{"deepseek-chat", 10, 10, false, unmeasuredImage},
		{"gpt-5-mini", 768, 1024, false, 922},   // reported
		{"gpt-5-mini", 2048, 768, false, 1844},  // reported
		{"gpt-5-nano", 1800, 1200, false, 2304}, // reported
	} {
		rule := familyOf(c.model).image
		if got := rule.tokens(c.width, c.height, c.low); got != c.want {
			t.Errorf("%s, %d by %d: %d tokens, want %d", c.model, c.width, c.height, got, c.want)
		}
	}
}

// TestLargestImage goes through sizes: none may have more tokens than the largest image.
func TestLargestImage(t *testing.T) {
	t.Parallel()
	for _, r := range modelRules {
		rule := r.family.image
		for w := int64(1); w < 9000; w = w*5/4 + 1 {
			for h := int64(1); h < 9000; h = h*5/4 + 1 {
				if n := rule.tokens(w, h, false); n > rule.largest() || n < 0 {
					t.Fatalf("%s, %d by %d: %d tokens, the largest has %d", r.family.name, w, h, n, rule.largest())
				}
			}
		}
	}
}

func TestImagesInRequests(t *testing.T) {
	t.Parallel()
	const empty = 7 // what is around a message for gpt-4o
	photo := dataURL(jpegHead(3008, 2000, 14, 40000, 30000))
	for _, c := range []struct {
		name, part string
		want       int64
	}{
		{"an object", `{"type":"image_url","image_url":{"url":"` + dataURL(pngHead(1024, 1024)) + `"}}`, 765},
		{"low detail", `{"type":"image_url","image_url":{"detail":"low","url":"` + dataURL(pngHead(1024, 1024)) + `"}}`, 85},
		{"low detail behind a link", `{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}}`, 85},
		{"low detail beside an address", `{"type":"input_image","image_url":"` + dataURL(pngHead(1024, 1024)) + `","detail":"low"}`, 85},
		{"an address", `{"type":"input_image","image_url":"` + dataURL(pngHead(1024, 1024)) + `"}`, 765},
		{"slashes with escapes", `{"type":"image_url","image_url":{"url":"` + strings.ReplaceAll(photo, "/", `\/`) + `"}}`, 1105},
		{"a size far behind", `{"type":"image_url","image_url":{"url":"` + photo + `"}}`, 1105},
		{"as Anthropic has it", `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + base64.StdEncoding.EncodeToString(pngHead(1024, 1024)) + `"}}`, 765},
		{"a link", `{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`, 1445},
		{"broken base64", `{"type":"image_url","image_url":{"url":"data:image/png;base64,!!!!"}}`, 1445},
		{"none", `{"type":"image_url","image_url":null}`, 0},
	} {
		e, err := Count(OpenAI, "gpt-4o", []byte(`{"messages":[{"role":"user","content":[`+c.part+`]}]}`))
		if err != nil || e.Tokens != c.want+empty || !e.Bounded || e.Most < e.Tokens {
			t.Errorf("%s: %+v, %v; want %d", c.name, e, err, c.want+empty)
		}
	}
}

func TestSounds(t *testing.T) {
	t.Parallel()
	wav := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	wav = binary.LittleEndian.AppendUint32(wav, 8000)
	wav = binary.LittleEndian.AppendUint32(wav, 16000) // bytes a second
	wav = append(wav, make([]byte, 160000-len(wav))...)
	part := func(data []byte, format string) []byte {
		return fmt.Appendf(nil, `{"messages":[{"content":[{"type":"input_audio","input_audio":{"format":%q,"data":%q}}]}]}`,
			format, base64.StdEncoding.EncodeToString(data))
	}
	const around = 4 + 2
	e, err := Count(OpenAI, "gpt-4o-audio-preview", part(wav, "wav"))
	if err != nil || e.Tokens != around+100 || !e.Bounded || e.Kind != Media {
		t.Errorf("ten seconds: %+v, %v", e, err)
	}
	e, err = Count(OpenAI, "gpt-4o-audio-preview", part(make([]byte, 160000), "mp3"))
	if err != nil || e.Tokens != around+100 || e.Most < 1600 {
		t.Errorf("compressed: %+v, %v", e, err)
	}
	if e, err = Count(OpenAI, "gemini-2.5-flash", part(wav, "wav")); err != nil || e.Tokens != 320 || e.Bounded {
		t.Errorf("Gemini: %+v, %v", e, err)
	}
}

// TestSoundHeads reads how long sounds last from the beginning of their files.
func TestSoundHeads(t *testing.T) {
	t.Parallel()
	encoded := func(head []byte, size int) text {
		return text{raw: []byte(base64.StdEncoding.EncodeToString(append(head, make([]byte, size-len(head))...)))}
	}
	flac := append([]byte("fLaC\x80\x00\x00\x22"), make([]byte, 10)...)
	flac = binary.BigEndian.AppendUint64(flac, 44100<<44|1<<41|15<<36|44100*7) // stereo of 16 bits, 7 seconds
	for _, c := range []struct {
		name    string
		data    text
		seconds int64
	}{
		{"MP3 of 128,000 bits a second", encoded([]byte{0xff, 0xfb, 0x90, 0x64}, 160_000), 10},
		{"MP3 of 64,000 bits a second", encoded([]byte{0xff, 0xfb, 0x50, 0x64}, 160_000), 20},
		{"MP3 of the second version, 64,000", encoded([]byte{0xff, 0xf3, 0x80, 0x64}, 160_000), 20},
		{"MP3 that does not say", encoded([]byte{0xff, 0xfb, 0x00, 0x64}, 160_000), 10},
		{"FLAC", encoded(flac, 500_000), 7},
		{"something else", encoded([]byte("OggS"), 160_000), 10},
		{"a link", text{raw: []byte("https://example.com/a.mp3")}, linkedSound},
	} {
		if got, most := soundSeconds(c.data); got != c.seconds || most != 0 && most < got {
			t.Errorf("%s: %d seconds, at most %d; want %d", c.name, got, most, c.seconds)
		}
	}
}

// TestPages counts the pages of PDFs in which they are marked anywhere.
func TestPages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pdf := []byte("%PDF-1.4\n<< /Type /Catalog >> << /Type /Pages /Kids [3 0 R] >>")
		pages := rapid.IntRange(0, 20).Draw(t, "pages")
		for range pages {
			pdf = append(pdf, bytes.Repeat([]byte("."), rapid.IntRange(0, 2*pageChunk).Draw(t, "bytes"))...)
			pdf = append(pdf, rapid.SampledFrom([]string{"/Type /Page\n", "/Type/Page/Parent", "/Type\n/Page>>", "<< /Type/Page >>"}).Draw(t, "mark")...)
		}
		pdf = append(pdf, "%%EOF"...)
		prefix := rapid.SampledFrom([]string{"", "data:application/pdf;base64,"}).Draw(t, "prefix")
		if got := pagesOf(text{raw: []byte(prefix + base64.StdEncoding.EncodeToString(pdf))}); got != int64(pages) {
			t.Fatalf("%d pages, want %d", got, pages)
		}
	})
	for _, data := range []string{"", "aGVsbG8=", "https://example.com/a.pdf", "JVBERi0xLjc!!!!", "JVBERi"} {
		if got := pagesOf(text{raw: []byte(data)}); got != 0 {
			t.Errorf("%q has %d pages", data, got)
		}
	}
}

// TestFiles counts documents by their pages.
func TestFiles(t *testing.T) {
	t.Parallel()
	pdf := base64.StdEncoding.EncodeToString([]byte("%PDF-1.4 /Type /Pages /Type /Page /Type /Page /Type /Page %%EOF"))
	for _, c := range []struct {
		model  string
		format Format
		body   string
		want   int64
	}{
		{"claude-sonnet-4-5", Anthropic, `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + pdf + `"}}]}]}`, 3*2250 + 7},
		{"gpt-4o", Responses, `{"input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,` + pdf + `"}]}]}`, 3*1400 + 7},
		{"gpt-4o", OpenAI, `{"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + pdf + `"}}]}]}`, 3*1400 + 7},
		{"gemini-2.5-flash", Gemini, `{"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":"` + pdf + `"}}]}]}`, 3 * 258},
		{"gemini-3-flash", Gemini, `{"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":"` + pdf + `"}}]}]}`, 3*560 + 1},
	} {
		e, err := Count(c.format, c.model, []byte(c.body))
		if err != nil || e.Tokens != c.want || e.Bounded || e.Kind != Media {
			t.Errorf("%s: %+v, %v; want %d", c.model, e, err, c.want)
		}
	}
}

// TestResolutions counts images as Google's documents do for each resolution, wherever in the request it is asked for.
func TestResolutions(t *testing.T) {
	t.Parallel()
	image := `{"inlineData":{"mimeType":"image/png","data":"` + base64.StdEncoding.EncodeToString(pngHead(100, 100)) + `"}}`
	const priming = 1
	for _, c := range []struct {
		body string
		want int64
	}{
		{`{"contents":[{"parts":[` + image + `,` + image + `]}]}`, 2 * 1120},
		{`{"contents":[{"parts":[` + image + `,` + image + `]}],"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}}`, 2 * 280},
		{`{"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_MEDIUM"},"contents":[{"parts":[` + image + `]}]}`, 560},
		{`{"contents":[{"parts":[{"mediaResolution":{"level":"MEDIA_RESOLUTION_ULTRA_HIGH"},` + image[1:] + `,` + image + `]}],"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}}`, 2240 + 280},
	} {
		if e, err := Count(Gemini, "gemini-3-pro", []byte(c.body)); err != nil || e.Tokens != c.want+priming {
			t.Errorf("%s: %+v, %v; want %d", c.body, e, err, c.want+priming)
		}
	}
}
