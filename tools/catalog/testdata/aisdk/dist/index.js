"use strict";
// A small list in the form of the real package: tables of models, with parts that several share.
var index_exports = {};
__export(index_exports, { openaiPricing: () => openaiPricing });
var nativeWebSearch = { webSearchPer1kRequests: 10 };
var openaiPricing = {
  "otter-2": { inputPer1MTokens: 99, outputPer1MTokens: 99, audioInputPer1MTokens: 99 }, // the other lists have it
  "otter-text": { inputPer1MTokens: 1, outputPer1MTokens: 2, ...nativeWebSearch }, // text alone is theirs to price
  "otter-ear": { inputPer1MTokens: 0, outputPer1MTokens: 0, transcriptionPerMinute: 6e-3 },
  "otter-voice": { inputPer1MTokens: 0, outputPer1MTokens: 0, speechPer1MCharacters: 15 },
  "otter-live": { inputPer1MTokens: 0, outputPer1MTokens: 0, sessionPerMinute: 0.05 },
  "otter-brush": {
    inputPer1MTokens: 0,
    outputPer1MTokens: 0,
    imageGenerationPerImage: 0.04,
    imageGenerationPricing: { "1024x1024": 0.04, "hd-1024x1024": 0.08, "2K": 0.1 }
  },
  "otter-brush-2": {
    inputPer1MTokens: 5,
    outputPer1MTokens: 0,
    imageInputPer1MTokens: 8,
    imageCacheReadPer1MTokens: 2,
    imageOutputPer1MTokens: 30,
    imageGenerationPerImage: 0.05 // what the tokens come to
  }
};
var googlePricing = { "veo-finch": { inputPer1MTokens: 0, outputPer1MTokens: 0, videoGenerationPerSecond: 5e3 * 80 / 1e6 } };
var grokShared = { inputPer1MTokens: 0, outputPer1MTokens: 0, imageGenerationPerImage: 0.02, imageInputPerImage: 0.002 };
var xaiPricing = { "grok-brush": grokShared };
var mistralPricing = { "mistral-ear": { inputPer1MTokens: 0, outputPer1MTokens: 0, transcriptionPerMinute: 0.003 } };
var groqPricing = { "whisper-finch": { inputPer1MTokens: 0, outputPer1MTokens: 0, transcriptionPerMinute: 66667e-8 } };
var qwenPricing = { "qwen-brush": { inputPer1MTokens: 0, outputPer1MTokens: 0, imageGenerationPerImage: 0.035 } };
openaiPricing["otter-latest"] = { ...openaiPricing["otter-2"] };
