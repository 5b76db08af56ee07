// A small list in the form of the real package: providers, patterns, conditional and tiered prices.
const E = [
  {
    id: "openai",
    name: "OpenAI",
    api_pattern: "https://api\\.openai\\.com",
    models: [
      {
        id: "otter-2",
        match: { or: [{ equals: "otter-2" }, { equals: "otter-2-2026-01-02" }, { starts_with: "otter-2-preview" }] },
        context_window: 2e5,
        prices: [
          { prices: { input_mtok: 10, cache_read_mtok: 2.5, output_mtok: 40, web_searches_kcount: 10 } },
          {
            constraint: { start_date: "2026-06-10", type: "start_date" },
            prices: {
              input_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] },
              cache_read_mtok: 0.5,
              output_mtok: { base: 8, tiers: [{ start: 271999, price: 12 }] },
              web_searches_kcount: 10,
              storage_searches_kcount: 2.5
            }
          }
        ]
      },
      {
        id: "otter-embed",
        match: { equals: "otter-embed" },
        context_window: 8192,
        prices: { input_mtok: 0.02, output_mtok: 0.02 }
      },
      { id: "otter-ear", match: { equals: "otter-ear" }, prices: { audio_hours: 0.36 } },
      { id: "otter-image", match: { equals: "otter-image" }, prices: { input_mtok: 5, output_mtok: 10 } },
      { id: "otter-lost", match: { equals: "otter-lost" }, prices: {} },
      { id: "ft:otter-2", match: { starts_with: "ft:otter-2-2026-" }, prices: { input_mtok: 3, output_mtok: 12 } }
    ]
  },
  {
    id: "deepseek",
    models: [
      {
        id: "heron",
        match: { and: [{ starts_with: "heron" }, { regex: "^(?!.*-tts)" }] },
        prices: [
          { prices: { input_mtok: .135, output_mtok: 0.55 } },
          {
            constraint: { start_time: "00:30:00Z", end_time: "16:30:00Z", type: "time_of_date" },
            prices: { input_mtok: 0.27, output_mtok: 1.1 }
          }
        ]
      }
    ]
  },
  {
    id: "aws",
    models: [
      {
        id: "regional.crane-v1:0",
        match: { or: [{ contains: "us.crane" }, { contains: "eu.crane" }] },
        prices: { input_mtok: 3.3, output_mtok: 16.5 }
      }
    ]
  },
  {
    id: "google",
    models: [
      {
        id: "gemini-finch",
        match: { starts_with: "gemini-finch" },
        prices: { input_mtok: 1, input_audio_mtok: 3, output_mtok: 4, output_audio_mtok: 12 }
      },
      { id: "crane", match: { contains: "crane" }, prices: { input_mtok: 3, output_mtok: 15 } }
    ]
  },
  {
    id: "openrouter",
    models: [
      { id: "otter/otter-2", match: { equals: "otter/otter-2" }, prices: { input_mtok: 2, output_mtok: 8 } },
      { id: "otter/otter-2:free", match: { equals: "otter/otter-2:free" }, prices: {} },
      { id: "otter-2", match: { equals: "otter-2" }, prices: { input_mtok: 1, output_mtok: 1 } },
      { id: "~otter/latest", match: { equals: "~otter/latest" }, prices: { input_mtok: 2, output_mtok: 8 } }
    ]
  },
  {
    id: "cursor",
    models: [{ id: "auto", match: { equals: "auto" }, prices: { input_mtok: 1, output_mtok: 2 } }]
  }
], J = { input_tokens: { per: 1e6 } };
