package prompt

import (
	"bytes"
	"encoding/binary"
)

const (
	soundBytes       = 16000 // in a second of compressed sound of which nothing is known
	fewestSoundBytes = 1000  // in a second of the most compressed
	linkedSound      = 60    // seconds of a sound behind a link
)

// soundSeconds is how long a sound is likely to last and at most, which is 0 where nobody knows.
func soundSeconds(data text) (seconds, most int64) {
	if bytes.HasPrefix(data.raw, []byte("http")) || len(data.raw) == 0 {
		return linkedSound, 0
	}
	var room [64]byte
	size := int64(len(data.raw)) * 3 / 4
	head := dataHead(room[:0], data, 48)
	switch {
	case len(head) >= 32 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WAVE":
		if rate := int64(binary.LittleEndian.Uint32(head[28:])); rate >= fewestSoundBytes {
			n := ceilDiv(size-2, rate) // of base64 the last two bytes may be none
			return n, n
		}
	case len(head) >= 26 && string(head[:4]) == "fLaC":
		// The first block describes the stream: at its tenth byte 20 bits of samples a second and, behind 8 more, 36 bits of samples.
		word := binary.BigEndian.Uint64(head[18:])
		if rate, samples := int64(word>>44), int64(word&(1<<36-1)); rate > 0 && samples > 0 {
			n := ceilDiv(samples, rate)
			return n, max(n, ceilDiv(size, fewestSoundBytes))
		}
	default:
		if rate := mp3Rate(head); rate > 0 {
			return ceilDiv(size-2, rate), ceilDiv(size, fewestSoundBytes)
		}
	}
	return ceilDiv(size-2, soundBytes), ceilDiv(size, fewestSoundBytes)
}

// Thousands of bits a second of MPEG audio's third layer, by version and the four bits that say so.
var mp3Bits = [2][16]int64{
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}, // MPEG 1
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0},     // MPEG 2 and 2.5
}

// mp3Rate reads the bytes a second of an MP3 from its first frame, 0 where it is none or begins with something else. Where
// the rate varies the first frame says little.
func mp3Rate(head []byte) int64 {
	if len(head) < 4 || head[0] != 0xff || head[1]&0xe6 != 0xe2 {
		return 0
	}
	version := 1
	if head[1]&0x18 == 0x18 {
		version = 0
	}
	return mp3Bits[version][head[2]>>4] * 1000 / 8
}
