-- Receipts. Instants are nanoseconds since 1970, days are days since 1970 in UTC. Money is two whole numbers, so that every
-- database adds it up exactly: millionths of a dollar, and millionths of those.

CREATE TABLE IF NOT EXISTS farebox_batches (
	batch_id   VARCHAR(100) NOT NULL PRIMARY KEY,
	written_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS farebox_receipts (
	receipt_id    VARCHAR(100) NOT NULL PRIMARY KEY,
	call_id       VARCHAR(100) NOT NULL,
	started_at    BIGINT NOT NULL,
	day           INTEGER NOT NULL,
	endpoint      VARCHAR(100) NOT NULL,
	key_label     VARCHAR(100) NOT NULL,
	model         VARCHAR(200) NOT NULL,
	source        VARCHAR(20) NOT NULL,
	input_tokens  BIGINT NOT NULL,
	output_tokens BIGINT NOT NULL,
	cost_micros   BIGINT NOT NULL,
	cost_rest     BIGINT NOT NULL,
	receipt       TEXT NOT NULL
);

CREATE INDEX farebox_receipts_started ON farebox_receipts (started_at);

CREATE INDEX farebox_receipts_call ON farebox_receipts (call_id);

CREATE INDEX farebox_receipts_model ON farebox_receipts (model, started_at);

CREATE INDEX farebox_receipts_key ON farebox_receipts (key_label, started_at);

CREATE TABLE IF NOT EXISTS farebox_tags (
	name       VARCHAR(100) NOT NULL,
	value      VARCHAR(500) NOT NULL,
	started_at BIGINT NOT NULL,
	receipt_id VARCHAR(100) NOT NULL,
	PRIMARY KEY (receipt_id, name)
);

CREATE INDEX farebox_tags_value ON farebox_tags (name, started_at);

CREATE TABLE IF NOT EXISTS farebox_adjustments (
	receipt_id  VARCHAR(100) NOT NULL,
	learned_at  BIGINT NOT NULL,
	cost_micros BIGINT NOT NULL,
	cost_rest   BIGINT NOT NULL,
	adjustment  TEXT NOT NULL
);

CREATE INDEX farebox_adjustments_receipt ON farebox_adjustments (receipt_id);

-- What each day came to, so that the spending of years is a sum over few rows.

CREATE TABLE IF NOT EXISTS farebox_days (
	day           INTEGER NOT NULL,
	endpoint      VARCHAR(100) NOT NULL,
	key_label     VARCHAR(100) NOT NULL,
	model         VARCHAR(200) NOT NULL,
	attempts      BIGINT NOT NULL,
	unpriced      BIGINT NOT NULL,
	unsettled     BIGINT NOT NULL,
	input_tokens  BIGINT NOT NULL,
	output_tokens BIGINT NOT NULL,
	cost_micros   BIGINT NOT NULL,
	cost_rest     BIGINT NOT NULL,
	PRIMARY KEY (day, endpoint, key_label, model)
);
