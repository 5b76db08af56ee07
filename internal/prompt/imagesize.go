package prompt

import "encoding/binary"

// imageSize reads the width and height in pixels of a PNG, JPEG, GIF or WebP image from its beginning. Both are 0
// where the beginning does not tell.
func imageSize(head []byte) (width, height int64) {
	switch {
	case len(head) >= 24 && string(head[:8]) == "\x89PNG\r\n\x1a\n":
		return int64(binary.BigEndian.Uint32(head[16:])), int64(binary.BigEndian.Uint32(head[20:]))
	case len(head) >= 10 && (string(head[:6]) == "GIF87a" || string(head[:6]) == "GIF89a"):
		return int64(binary.LittleEndian.Uint16(head[6:])), int64(binary.LittleEndian.Uint16(head[8:]))
	case len(head) >= 30 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return webpSize(head)
	case len(head) >= 2 && head[0] == 0xFF && head[1] == 0xD8:
		return jpegSize(head)
	}
	return 0, 0
}

// webpSize reads the three kinds of WebP: lossy, lossless, extended.
func webpSize(head []byte) (width, height int64) {
	switch string(head[12:16]) {
	case "VP8 ":
		return int64(binary.LittleEndian.Uint16(head[26:]) & 0x3FFF), int64(binary.LittleEndian.Uint16(head[28:]) & 0x3FFF)
	case "VP8L":
		if head[20] != 0x2F {
			return 0, 0
		}
		bits := binary.LittleEndian.Uint32(head[21:])
		return int64(bits&0x3FFF) + 1, int64(bits>>14&0x3FFF) + 1
	case "VP8X":
		return int64(uint24(head[24:])) + 1, int64(uint24(head[27:])) + 1
	}
	return 0, 0
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// jpegSize goes from segment to segment to the one that describes the frame.
func jpegSize(head []byte) (width, height int64) {
	for i := 2; i+9 <= len(head); {
		if head[i] != 0xFF {
			return 0, 0
		}
		marker := head[i+1]
		switch {
		case marker == 0xFF: // padding
			i++
			continue
		case marker == 0x01 || 0xD0 <= marker && marker <= 0xD8: // without content
			i += 2
			continue
		case 0xC0 <= marker && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			return int64(binary.BigEndian.Uint16(head[i+7:])), int64(binary.BigEndian.Uint16(head[i+5:]))
		}
		i += 2 + int(binary.BigEndian.Uint16(head[i+2:]))
	}
	return 0, 0
}
