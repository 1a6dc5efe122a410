//! The limits of an account and what was counted for them, as they are kept in `account.controls`.

use chrono::NaiveDate;
use common::kinds::account::Limits;
use common::money::{Currency, Money};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::values::unreadable;
use crate::core::book::limits::{Controls, Spent, Usage};

/// The column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ControlsColumn {
    limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct UsageColumn {
    day: NaiveDate,
    day_amount: String,
    day_count: u32,
    month_amount: String,
    month_count: u32,
}

impl From<&Controls> for ControlsColumn {
    fn from(controls: &Controls) -> Self {
        Self {
            limits: controls.limits(),
            usage: controls.usage.map(|usage| UsageColumn {
                day: usage.day,
                day_amount: usage.of_day.amount.to_string(),
                day_count: usage.of_day.count,
                month_amount: usage.of_month.amount.to_string(),
                month_count: usage.of_month.count,
            }),
        }
    }
}

/// The limits in this column: none where it is empty, `None` when it can't be read.
pub(super) fn limits(column: Option<serde_json::Value>) -> Option<Limits> {
    let Some(column) = column else {
        return Some(Limits::default());
    };
    let column: ControlsColumn = serde_json::from_value(column).ok()?;
    Some(column.limits)
}

/// The controls of this account, from its column.
pub(super) fn read(
    column: serde_json::Value,
    account: Uuid,
    currency: Currency,
) -> sqlx::Result<Box<Controls>> {
    let broken = || unreadable(format!("the limits of account {account} can't be read"));
    let column: ControlsColumn = serde_json::from_value(column).map_err(|_| broken())?;
    let controls = Controls::read(&column.limits, Money::zero(currency)).map_err(|_| broken())?;
    let money = |text: &str| {
        let amount = text.parse::<Decimal>().map_err(|_| broken())?;
        Ok::<_, sqlx::Error>(Money::stored(amount, currency))
    };
    let usage = column.usage.map(|usage| {
        Ok::<_, sqlx::Error>(Usage {
            day: usage.day,
            of_day: Spent {
                amount: money(&usage.day_amount)?,
                count: usage.day_count,
            },
            of_month: Spent {
                amount: money(&usage.month_amount)?,
                count: usage.month_count,
            },
        })
    });
    Ok(Box::new(Controls {
        usage: usage.transpose()?,
        ..controls
    }))
}
