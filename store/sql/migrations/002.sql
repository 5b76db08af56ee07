-- Receipts. Instants are nanoseconds since 1970, hours and days are counted since 1970 in UTC. Money is two whole numbers, so
-- that every database adds it up exactly: millionths of a dollar, and millionths of those.

-- What receipts have in common: each endpoint, key, model and set of tags (as JSON, names in order) is written once. Its route is
-- the series of the same endpoint, key and model without tags.

CREATE TABLE IF NOT EXISTS farebox_series (
	series_id BIGINT NOT NULL PRIMARY KEY,
	route_id  BIGINT NOT NULL,
	endpoint  TEXT NOT NULL,
	key_label TEXT NOT NULL,
	model     TEXT NOT NULL,
	tags      TEXT NOT NULL
);

-- The receipts as they were made: JSON Lines, compressed (DEFLATE) some hundreds at a time. A receipt's key is that of its
-- chunk and, below 1024, its line in it.

CREATE TABLE IF NOT EXISTS farebox_chunks (
	chunk_id   BIGINT NOT NULL PRIMARY KEY,
	nonce      BIGINT NOT NULL,
	last_start BIGINT NOT NULL,
	receipts   BLOB NOT NULL
);

CREATE INDEX farebox_chunks_last ON farebox_chunks (last_start);

-- What is asked of single receipts. A cost's certainty is 0: known, 1: estimated or held at its most, 2: without a price.

CREATE TABLE IF NOT EXISTS farebox_receipts (
	receipt_key   BIGINT NOT NULL PRIMARY KEY,
	receipt_id    VARCHAR(100) NOT NULL,
	call_id       VARCHAR(100) NOT NULL,
	started_at    BIGINT NOT NULL,
	series_id     BIGINT NOT NULL,
	certainty     SMALLINT NOT NULL,
	input_tokens  BIGINT NOT NULL,
	output_tokens BIGINT NOT NULL,
	cost_micros   BIGINT NOT NULL,
	cost_rest     BIGINT NOT NULL
);

CREATE UNIQUE INDEX farebox_receipts_id ON farebox_receipts (receipt_id);

CREATE INDEX farebox_receipts_call ON farebox_receipts (call_id);

CREATE INDEX farebox_receipts_started ON farebox_receipts (started_at);

CREATE TABLE IF NOT EXISTS farebox_adjustments (
	adjustment_key BIGINT NOT NULL PRIMARY KEY,
	receipt_id     VARCHAR(100) NOT NULL,
	cost_micros    BIGINT NOT NULL,
	cost_rest      BIGINT NOT NULL,
	adjustment     TEXT NOT NULL
);

CREATE INDEX farebox_adjustments_receipt ON farebox_adjustments (receipt_id);

-- Adjustments that came before their receipt, and are in no sum yet.

CREATE TABLE IF NOT EXISTS farebox_unbooked (
	adjustment_key BIGINT NOT NULL PRIMARY KEY,
	receipt_id     VARCHAR(100) NOT NULL,
	cost_micros    BIGINT NOT NULL,
	cost_rest      BIGINT NOT NULL
);

-- Sums, so that the spending of years is read from few rows: by hour without regard to tags, by day with them.

CREATE TABLE IF NOT EXISTS farebox_hours (
	bucket        BIGINT NOT NULL,
	series_id     BIGINT NOT NULL,
	attempts      BIGINT NOT NULL,
	unpriced      BIGINT NOT NULL,
	unsettled     BIGINT NOT NULL,
	input_tokens  BIGINT NOT NULL,
	output_tokens BIGINT NOT NULL,
	cost_micros   BIGINT NOT NULL,
	cost_rest     BIGINT NOT NULL,
	PRIMARY KEY (bucket, series_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS farebox_days (
	bucket        BIGINT NOT NULL,
	series_id     BIGINT NOT NULL,
	attempts      BIGINT NOT NULL,
	unpriced      BIGINT NOT NULL,
	unsettled     BIGINT NOT NULL,
	input_tokens  BIGINT NOT NULL,
	output_tokens BIGINT NOT NULL,
	cost_micros   BIGINT NOT NULL,
	cost_rest     BIGINT NOT NULL,
	PRIMARY KEY (bucket, series_id)
) WITHOUT ROWID;
