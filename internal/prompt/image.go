package prompt

import "math"

// imageRule says how many tokens an image has.
type imageRule struct {
	kind imageKind
	base int64 // tokens of any image
	unit int64 // tokens of a tile, a crop or the image; thousandths of a token of a patch
	edge int64 // pixels that the longer edge is scaled down to
	most int64 // tokens; for patches thousandths of a token of a patch in the worst case, where that is not unit

	loose bool // some of the models that go by it were seen to bill more: no bound is claimed

	resolutions [ultraHigh + 1]int64 // tokens of a flat image by the resolution that is asked for; 0: as unspecified
}

// resolution is how much of an image Google's models are to see.
type resolution uint8

const (
	unspecified resolution = iota
	low
	medium
	high
	ultraHigh
)

// resolutionOf reads a resolution: "MEDIA_RESOLUTION_LOW".
func resolutionOf(name text) resolution {
	switch string(name.raw) {
	case "MEDIA_RESOLUTION_LOW":
		return low
	case "MEDIA_RESOLUTION_MEDIUM":
		return medium
	case "MEDIA_RESOLUTION_HIGH":
		return high
	case "MEDIA_RESOLUTION_ULTRA_HIGH":
		return ultraHigh
	}
	return unspecified
}

// differs is how many tokens more a flat image has at a resolution.
func (r imageRule) differs(at resolution) int64 {
	if r.kind != flat || r.resolutions[at] == 0 {
		return 0
	}
	return r.resolutions[at] - r.unit
}

// imageKind is a way to measure images.
type imageKind uint8

const (
	unmeasured    imageKind = iota // nobody knows: a flat guess, without a bound
	tiles                          // OpenAI: 512 pixels square, after scaling to 2048 and the shorter edge to 768
	patches                        // OpenAI: 32 pixels square, at most 1,536
	claudePatches                  // Anthropic: 28 pixels square
	patches28                      // 28 pixels square, up to a most, each row ended by a token
	geminiCrops                    // Google: crops whose size follows the image's, and the whole
	flat                           // the same for all
)

const (
	unmeasuredImage = 1600 // tokens: the middle of what others count for a photograph
	maxPatches      = 1536
	maxEdge         = 1 << 16 // pixels; larger images are refused everywhere
	mediaBand       = 30      // percent
)

// largest is the number of tokens of the largest image.
func (r imageRule) largest() int64 {
	switch r.kind {
	case tiles:
		return r.base + 8*r.unit // 768 by 2048
	case patches:
		return ceilDiv(maxPatches*max(r.unit, r.most), perMille)
	case claudePatches, patches28:
		return r.most
	case geminiCrops:
		return 25 * r.unit // 3072 by 384, the costliest of those that are not scaled down
	case flat:
		return r.unit
	}
	return unmeasuredImage
}

// unsized is the number of tokens of an image of which nothing is known: that of the largest, at the usual detail.
func (r imageRule) unsized() int64 {
	if r.kind == patches {
		r.most = 0
	}
	return r.largest()
}

// tokens is the number of tokens of an image. littleDetail says that the caller asked for low detail.
func (r imageRule) tokens(width, height int64, littleDetail bool) int64 {
	if width <= 0 || height <= 0 || width > maxEdge || height > maxEdge {
		return r.unsized()
	}
	w, h := float64(width), float64(height)
	switch r.kind {
	case tiles:
		if littleDetail {
			return r.base
		}
		w, h = shrink(w, h, min(1, 2048/max(w, h)))
		w, h = shrink(w, h, min(1, 768/min(w, h)))
		return r.base + r.unit*cells(w, 512)*cells(h, 512)
	case patches:
		return ceilDiv(patchCount(w, h)*r.unit, perMille)
	case claudePatches:
		w, h = shrink(w, h, min(1, float64(r.edge)/max(w, h)))
		return min(cells(w, 28)*cells(h, 28), r.most)
	case patches28:
		return min((cells(w, 28)+1)*cells(h, 28), r.most)
	case geminiCrops:
		w, h = shrink(w, h, min(1, 3072/max(w, h)))
		crop := min(max(math.Floor(min(w, h)/1.5), 256), 768)
		return min(r.unit*(cells(w, crop)*cells(h, crop)+1), r.largest())
	}
	return r.largest()
}

// shrink scales an image, which stays at least a pixel wide and high.
func shrink(w, h, factor float64) (float64, float64) {
	return max(math.Floor(w*factor+0.5), 1), max(math.Floor(h*factor+0.5), 1)
}

// cells is how many squares of a size cover a length.
func cells(length, size float64) int64 { return int64(math.Ceil(length / size)) }

// patchCount is how many squares of 32 pixels cover an image, which is scaled down until they are few enough.
func patchCount(w, h float64) int64 {
	const side = 32
	if n := cells(w, side) * cells(h, side); n <= maxPatches {
		return n
	}
	factor := math.Sqrt(side * side * maxPatches / (w * h))
	across, down := w*factor/side, h*factor/side
	factor *= min(max(math.Floor(across), 1)/across, max(math.Floor(down), 1)/down)
	return min(max(cells(w*factor-0.5, side), 1)*max(cells(h*factor-0.5, side), 1), maxPatches)
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
