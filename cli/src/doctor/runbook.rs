//! The pages that say what to do, in the program too: on the worst day there may be no checkout.

use clap::ValueEnum;
use serde::Serialize;

macro_rules! runbooks {
    ($($name:ident),+ $(,)?) => {
        /// A page of `ops/runbooks`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
        #[value(rename_all = "verbatim")]
        pub(crate) enum Runbook {
            $($name),+
        }

        impl Runbook {
            /// Its name: `NobodyLeads`.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }

            /// The page.
            pub(super) fn text(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../ops/runbooks/", stringify!($name), ".md"))),+
                }
            }
        }
    };
}

runbooks! {
    AnswersUnpublished,
    BooksUnbalanced,
    CertificateEnds,
    ClockDiffers,
    ClockJumped,
    DiskFull,
    KeyOverdue,
    LogFilling,
    NobodyLeads,
    NothingDecided,
    ProjectionBehind,
    SecretsOpen,
    ServiceMissing,
    TablesDiffer,
    UnsafeSettings,
}
