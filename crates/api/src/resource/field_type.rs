//! Rust types of fields: how JSON becomes a value of the database, and how the documentation names them.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use sea_orm::Value as DbValue;
use serde_json::Value;
use uuid::Uuid;

/// A type that a field of a resource may have.
pub trait FieldType: Into<DbValue> + Sized {
    /// What the documentation says that it is, like `xsd:string`.
    const RANGE: &'static str;

    /// Whether the field may be null.
    const NULLABLE: bool = false;

    /// Whether an empty text means that nothing was entered; true for all but texts.
    const EMPTY_IS_NULL: bool = true;

    /// Reads a value.
    ///
    /// # Errors
    /// What the value should have been, as a sentence for people.
    fn from_json(value: &Value) -> Result<Self, String>;
}

impl<T: FieldType> FieldType for Option<T>
where
    Option<T>: Into<DbValue>,
{
    const RANGE: &'static str = T::RANGE;
    const NULLABLE: bool = true;
    const EMPTY_IS_NULL: bool = T::EMPTY_IS_NULL;

    fn from_json(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            // Forms send an empty text for an input that was not touched.
            Value::String(text) if text.is_empty() && T::EMPTY_IS_NULL => Ok(None),
            value => T::from_json(value).map(Some),
        }
    }
}

impl FieldType for String {
    const RANGE: &'static str = "xsd:string";
    const EMPTY_IS_NULL: bool = false;

    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| expected("a string"))
    }
}

impl FieldType for bool {
    const RANGE: &'static str = "xsd:boolean";

    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| expected("a boolean"))
    }
}

impl FieldType for Value {
    const RANGE: &'static str = "xsd:string";
    const EMPTY_IS_NULL: bool = false;

    fn from_json(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl FieldType for Uuid {
    const RANGE: &'static str = "xsd:string";

    fn from_json(value: &Value) -> Result<Self, String> {
        parse(value, "a UUID")
    }
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl FieldType for $type {
            const RANGE: &'static str = "xsd:integer";

            fn from_json(value: &Value) -> Result<Self, String> {
                let signed = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                // Forms and JavaScript write whole numbers as `3.0` too.
                let whole = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT);
                let number = signed.or_else(|| whole().map(|number| number as i128)).map(<$type>::try_from);
                match number {
                    Some(Ok(number)) => Ok(number),
                    Some(Err(_)) => Err(format!("This value should be between {} and {}.", <$type>::MIN, <$type>::MAX)),
                    None => Err(expected("an integer")),
                }
            }
        }
    )* };
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! floats {
    ($($type:ty),*) => { $(
        impl FieldType for $type {
            const RANGE: &'static str = "xsd:decimal";

            fn from_json(value: &Value) -> Result<Self, String> {
                let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
                number.filter(|number| number.is_finite()).map(|number| number as $type).ok_or_else(|| expected("a number"))
            }
        }
    )* };
}

floats!(f32, f64);

/// Bytes are written in hexadecimal, as they stand in old rows.
impl FieldType for Vec<u8> {
    const RANGE: &'static str = "xsd:hexBinary";

    fn from_json(value: &Value) -> Result<Self, String> {
        let digits = value.as_str().filter(|text| text.is_ascii() && text.len() % 2 == 0);
        let digits = digits.ok_or_else(|| expected("bytes in hexadecimal"))?;
        let byte = |place: usize| u8::from_str_radix(&digits[place..place + 2], 16).ok();
        (0..digits.len())
            .step_by(2)
            .map(byte)
            .collect::<Option<_>>()
            .ok_or_else(|| expected("bytes in hexadecimal"))
    }
}

impl FieldType for Decimal {
    const RANGE: &'static str = "xsd:decimal";

    fn from_json(value: &Value) -> Result<Self, String> {
        // A text keeps every digit; a number of JSON has those that a double has.
        let text = value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()));
        let parse = |text: &str| text.parse().ok().or_else(|| Decimal::from_scientific(text).ok());
        text.as_deref().and_then(parse).ok_or_else(|| expected("a number"))
    }
}

impl FieldType for NaiveDate {
    const RANGE: &'static str = "xsd:date";

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default();
        let date = text.parse().ok().or_else(|| date_time(text).map(|time| time.date_naive()));
        date.ok_or_else(|| expected("a date like 2026-12-31"))
    }
}

impl FieldType for NaiveTime {
    const RANGE: &'static str = "xsd:time";

    fn from_json(value: &Value) -> Result<Self, String> {
        parse(value, "a time like 23:59:00")
    }
}

impl FieldType for NaiveDateTime {
    const RANGE: &'static str = "xsd:dateTime";

    fn from_json(value: &Value) -> Result<Self, String> {
        DateTime::<Utc>::from_json(value).map(|time| time.naive_utc())
    }
}

impl FieldType for DateTime<Utc> {
    const RANGE: &'static str = "xsd:dateTime";

    fn from_json(value: &Value) -> Result<Self, String> {
        DateTime::<FixedOffset>::from_json(value).map(|time| time.to_utc())
    }
}

impl FieldType for DateTime<FixedOffset> {
    const RANGE: &'static str = "xsd:dateTime";

    fn from_json(value: &Value) -> Result<Self, String> {
        date_time(value.as_str().unwrap_or_default())
            .ok_or_else(|| expected("a time like 2026-12-31T23:59:00Z"))
    }
}

/// What browsers and clients write: RFC 3339, the value of a `datetime-local` input, or a mere date.
fn date_time(text: &str) -> Option<DateTime<FixedOffset>> {
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"].iter();
    let naive = || local.map(|format| NaiveDateTime::parse_from_str(text, format)).find_map(Result::ok);
    let date = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| naive().or_else(date).map(|time| time.and_utc().fixed_offset()))
}

fn parse<T: std::str::FromStr>(value: &Value, what: &str) -> Result<T, String> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| expected(what))
}

fn expected(what: &str) -> String {
    format!("This value should be {what}.")
}

/// Up to here every whole number has a floating-point form of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_clients_write_them() {
        assert_eq!(i32::from_json(&json!(3.0)), Ok(3));
        assert_eq!(u8::from_json(&json!(256)), Err("This value should be between 0 and 255.".to_owned()));
        assert_eq!(i64::from_json(&json!(i64::MIN)), Ok(i64::MIN));
        assert_eq!(u64::from_json(&json!(u64::MAX)), Ok(u64::MAX));
        assert!(i32::from_json(&json!("3")).is_err() && i32::from_json(&json!(1.5)).is_err());
        assert_eq!(f64::from_json(&json!("2.5")), Ok(2.5));
        assert_eq!(Option::<i32>::from_json(&json!("")), Ok(None));
        assert_eq!(Option::<String>::from_json(&json!("")), Ok(Some(String::new())));
        assert_eq!(Option::<String>::from_json(&json!(null)), Ok(None));
        assert!(String::from_json(&json!(1)).is_err());
        assert_eq!(
            Decimal::from_json(&json!("12345678901234.5678")).unwrap().to_string(),
            "12345678901234.5678"
        );
        assert_eq!(Decimal::from_json(&json!(1.5)).unwrap().to_string(), "1.5");
        assert!(Decimal::from_json(&json!("x")).is_err());
        assert_eq!(Vec::<u8>::from_json(&json!("00ff")), Ok(vec![0, 255]));
        for wrong in [json!("0"), json!("xx"), json!("\u{e9}"), json!([1])] {
            assert!(Vec::<u8>::from_json(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_come_in_several_forms() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        for text in ["2026-12-31", "2026-12-31T10:00:00.000Z", "2026-12-31T10:00"] {
            assert_eq!(NaiveDate::from_json(&json!(text)), Ok(day), "{text}");
        }
        for text in ["2026-12-31T10:00:00Z", "2026-12-31T11:00:00+01:00", "2026-12-31T10:00"] {
            assert_eq!(
                NaiveDateTime::from_json(&json!(text)),
                Ok(day.and_hms_opt(10, 0, 0).unwrap()),
                "{text}"
            );
        }
        assert!(NaiveDate::from_json(&json!("31.12.2026")).is_err());
    }
}
