-- `quittance audit replay` compares the books with the log. Its role reads them and can't change them: whoever checks a
-- ledger should not be able to write it. A later table that is about money needs the same grant in its own migration.
grant select on cursor, answer, account, posting, signing_key to audit;
