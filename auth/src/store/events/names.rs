//! What events are called: `noun.verb_past`. A name stays what it means for ever, because its rows do.
//!
//! Each name that is recorded anywhere is here, as a test checks; who needs a new one adds a line.

macro_rules! names {
    ($($name:ident = $word:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) const $name: &str = $word;)*
        /// All names, with what they mean.
        pub(crate) const ALL: &[(&str, &str)] = &[$(($name, $meaning)),*];
    };
}

names! {
    USER_LOGGED_IN = "user.logged_in", "A person logged in: `session` and `address`.";
    USER_LOGIN_FAILED = "user.login_failed", "A wrong password or code, an unknown or an inactive person: `count` tries from `address`.";
    USER_LOGIN_REFUSED = "user.login_refused", "Tries at locked accounts, or beyond an address's share: `count` from `address`.";
    SESSION_ENDED = "session.ended", "A login ended: `session`, `because`.";
    USER_LOCKED_OUT = "user.locked_out", "Every session of a person ended, and every token: `because`.";
    USER_CREATED = "user.created", "Somebody may log in from now on: `role`.";
    USER_IMPORTED = "user.imported", "Somebody came from another system: `role`, `is_active`, `has_password`.";
    USER_ACTIVATED = "user.activated", "A person may log in again.";
    USER_INVITED = "user.invited", "Somebody may make themselves a person: `email`, `role`.";
    USER_RESET_STARTED = "user.reset_started", "A person may set a new password with a code.";
    USER_CODE_FAILED = "user.code_failed", "Invitations or resets that are none: `count` from `address`.";
    USER_CODE_REFUSED = "user.code_refused", "The same, or registrations, beyond the limit: `count` from `address`.";
    USER_ROLE_CHANGED = "user.role_changed", "A person may do more or less: `from`, `to`.";
    USER_UNLOCKED = "user.unlocked", "Wrong tries at a person's password were forgotten.";
    SECOND_FACTOR_ON = "user.second_factor_on", "Log-in asks a person for a code from now on.";
    SECOND_FACTOR_OFF = "user.second_factor_off", "Log-in asks for none any more: `because`.";
    RECOVERY_CODES_RENEWED = "user.recovery_codes_renewed", "A person has new recovery codes, and the old ones are over.";
    RECOVERY_CODE_USED = "user.recovery_code_used", "A recovery code stood in for the authenticator: how many are `left`.";
    SERVICE_ACCOUNT_CREATED = "service_account.created", "A program may get tokens from now on: `scopes`, `audience`, `payment_max`, `accounts`.";
    SERVICE_ACCOUNT_ACTIVATED = "service_account.activated", "A program may get tokens again.";
    SERVICE_ACCOUNT_DEACTIVATED = "service_account.deactivated", "A program gets no tokens, and those that it had ended.";
    SERVICE_ACCOUNT_DELETED = "service_account.deleted", "The same for ever.";
    CREDENTIAL_ADDED = "credential.added", "A program may prove itself with one more secret or key: `credential`, `kind`, `kid`.";
    CREDENTIAL_DELETED = "credential.deleted", "A secret or key proves nothing more, and its tokens ended: `credential`.";
    TOKEN_REVOKED = "token.revoked", "A program ended one of its tokens: `jti`.";
    KEY_CREATED = "key.created", "A signing key was made: `activates_at`.";
    KEY_ACTIVATED = "key.activated", "It signs from now on.";
    KEY_RETIRED = "key.retired", "It has stopped signing, its last tokens are over, its private half was deleted.";
    KEY_REVOKED = "key.revoked", "Nothing that it signed counts from now on.";
    KEY_IMPORTED = "key.imported", "Another system's key: its refresh tokens are taken for a day.";
    KEY_RESEALED = "key.resealed", "Its private half was sealed with the first key encryption key.";
    MANDATE_GIVEN = "mandate.given", "A person lets a program pay: `mandate`, `client_id`, `payment_max`, `accounts`, `expires_at`.";
    MANDATE_ENDED = "mandate.ended", "A program pays no more in a person's name: `mandate`.";
    CLIENT_LOGIN_FAILED = "client.login_failed", "A wrong secret, an unknown or an inactive program: `count` tries from `address`.";
    CLIENT_LOGIN_REFUSED = "client.login_refused", "Wrong secrets beyond the limit: `count` from `address`.";
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The words that a source records: `what: "…"`.
    fn recorded(directory: &Path, words: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                recorded(&path, words);
            } else {
                let source = fs::read_to_string(&path).unwrap_or_default();
                let after = source.split("what: \"").skip(1);
                words.extend(after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }

    #[test]
    fn every_event_has_its_name_in_the_list() {
        let mut words = Vec::new();
        recorded(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut words,
        );
        // Of this very test.
        words.retain(|word| word.contains('.'));
        for word in words {
            let is_listed = ALL.iter().any(|(name, _)| *name == word);
            assert!(is_listed, "{word} is not in store/events/names.rs");
        }
    }

    #[test]
    fn a_name_is_a_noun_and_a_verb_once() {
        for (at, (name, meaning)) in ALL.iter().enumerate() {
            let is_word = |word: &str| {
                !word.is_empty()
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            let is_name = name
                .split_once('.')
                .is_some_and(|(noun, verb)| is_word(noun) && is_word(verb));
            assert!(is_name && meaning.ends_with('.'), "{name}: {meaning}");
            assert!(
                ALL[..at].iter().all(|(earlier, _)| earlier != name),
                "{name} twice"
            );
        }
    }
}
