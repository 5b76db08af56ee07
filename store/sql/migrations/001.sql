-- What is granted under each limit. Amounts are whole units of the limit: nano-dollars, tokens, requests. Instants are
-- nanoseconds since 1970, 0 where there is none. Names are compared byte for byte: MySQL's VARCHAR would take no notice of
-- spaces at their end.

CREATE TABLE IF NOT EXISTS farebox_accounts (
	account_key VARBINARY(500) NOT NULL PRIMARY KEY,
	last_start  BIGINT NOT NULL,
	refused_at  BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS farebox_windows (
	account_key VARBINARY(500) NOT NULL,
	start_at    BIGINT NOT NULL,
	end_at      BIGINT NOT NULL,
	used        BIGINT NOT NULL,
	clients     BIGINT NOT NULL,
	PRIMARY KEY (account_key, start_at)
);

CREATE TABLE IF NOT EXISTS farebox_holders (
	account_key VARBINARY(500) NOT NULL,
	start_at    BIGINT NOT NULL,
	client      VARBINARY(100) NOT NULL,
	granted     BIGINT NOT NULL,
	returned    BIGINT NOT NULL,
	overspent   BIGINT NOT NULL,
	PRIMARY KEY (account_key, start_at, client)
);

CREATE TABLE IF NOT EXISTS farebox_corrections (
	correction_id VARBINARY(100) NOT NULL PRIMARY KEY,
	applied_at    BIGINT NOT NULL
);
