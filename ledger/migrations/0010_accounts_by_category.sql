-- Bank staff look for the bank's own accounts: cash to pay a deposit out of, fees. They are a handful among a million.
create index account_by_category on account (category, id);
