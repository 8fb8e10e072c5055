-- What callers are charged on top of what calls cost, by the margins of their plans.

ALTER TABLE calls ADD COLUMN margin_pico BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_minute ADD COLUMN margin_usd BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_minute ADD COLUMN margin_pico BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN margin_usd BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN margin_pico BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN margin_usd BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN margin_pico BIGINT NOT NULL DEFAULT 0;
