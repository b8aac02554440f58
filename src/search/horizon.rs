//! What the first page of a result saw, so that all further pages show the same
//! (<https://hl7.org/fhir/R4/http.html#paging>).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The moment of a first page, as its links carry it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Horizon {
    /// Raised by a restore, after which transactions are counted anew.
    #[serde(rename = "e")]
    pub epoch: i32,
    #[serde(rename = "s")]
    pub snapshot: Snapshot,
    /// What the first page knew.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none", default)]
    pub total: Option<i64>,
    /// What the criteria were read at: the prefix `ap` depends on it.
    #[serde(rename = "n", with = "chrono::serde::ts_microseconds")]
    pub now: DateTime<Utc>,
}

/// Which transactions a statement of the database saw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// All below were at their end.
    least: u64,
    /// None from here on had come to its end.
    most: u64,
    /// Those between that were under way, ascending.
    running: Vec<u64>,
}

impl Snapshot {
    /// Reads `xmin:xmax:xip,xip,...`, as the database writes a snapshot; `own` is the transaction
    /// of the statement itself, whose changes it saw. None for any other text.
    pub fn parse(text: &str, own: Option<&str>) -> Option<Snapshot> {
        let mut parts = text.splitn(3, ':');
        let least = parts.next()?.parse().ok()?;
        let most = parts.next()?.parse().ok()?;
        let running = numbers(parts.next()?)?;
        let snapshot = Snapshot { least, most, running };
        match own {
            None => Some(snapshot),
            Some(own) => Some(snapshot.seeing(own.parse().ok()?)),
        }
    }

    fn seeing(mut self, own: u64) -> Snapshot {
        // What began before it and is not at its end is under way.
        self.running.extend(self.most..own.max(self.most));
        self.most = self.most.max(own + 1);
        self.running.retain(|running| *running != own);
        self
    }

    /// As the database reads it.
    pub fn text(&self) -> String {
        let running: Vec<String> = self.running.iter().map(u64::to_string).collect();
        format!("{}:{}:{}", self.least, self.most, running.join(","))
    }

    /// All transactions below this one are seen.
    pub fn least(&self) -> String {
        self.least.to_string()
    }
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// Short: what is above the least is written by its distance.
impl Serialize for Snapshot {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let above = |number: &u64| number.saturating_sub(self.least);
        let running: Vec<u64> = self.running.iter().map(above).collect();
        (self.least, above(&self.most), running).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (least, most, running): (u64, u64, Vec<u64>) = Deserialize::deserialize(from)?;
        let at = |above: u64| least.saturating_add(above);
        Ok(Snapshot { least, most: at(most), running: running.into_iter().map(at).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_back_as_the_database_wrote_it_and_is_short() {
        for text in ["10:10:", "734:740:734,736", "18446744073709551610:18446744073709551614:"] {
            let snapshot = Snapshot::parse(text, None).unwrap();
            assert_eq!(snapshot.text(), text);
            let sealed = serde_json::to_string(&snapshot).unwrap();
            assert_eq!(serde_json::from_str::<Snapshot>(&sealed).unwrap(), snapshot);
        }
        let snapshot = Snapshot::parse("100000:100003:100000,100002", None).unwrap();
        assert_eq!(serde_json::to_string(&snapshot).unwrap(), "[100000,3,[0,2]]");
        for text in ["", "1", "1:2", "a:b:", "1:2:c", "1:2:3:4"] {
            assert_eq!(Snapshot::parse(text, None), None, "{text}");
        }
    }

    #[test]
    fn a_statement_sees_the_changes_of_its_own_transaction() {
        let text = |snapshot, own| Snapshot::parse(snapshot, Some(own)).unwrap().text();
        assert_eq!(text("10:10:", "10"), "10:11:");
        assert_eq!(text("10:10:", "12"), "10:13:10,11");
        assert_eq!(text("10:14:10,12", "12"), "10:14:10");
    }
}
