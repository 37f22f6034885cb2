-- Columns of acc's db_extra, for the database that `sipwright db create` or kamdbctl made. The account is NULL where nobody
-- was asked for a password: in requests within a dialog.
ALTER TABLE acc ADD COLUMN src_user VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE acc ADD COLUMN src_ip VARCHAR(45) NOT NULL DEFAULT '';
ALTER TABLE acc ADD COLUMN src_proto VARCHAR(4) NOT NULL DEFAULT '';
ALTER TABLE acc ADD COLUMN dst_user VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE acc ADD COLUMN account VARCHAR(64);
ALTER TABLE missed_calls ADD COLUMN src_user VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE missed_calls ADD COLUMN src_ip VARCHAR(45) NOT NULL DEFAULT '';
ALTER TABLE missed_calls ADD COLUMN src_proto VARCHAR(4) NOT NULL DEFAULT '';
ALTER TABLE missed_calls ADD COLUMN dst_user VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE missed_calls ADD COLUMN account VARCHAR(64);
