//! The statement that is signed: in-toto Statement v1 with the test-result predicate, as other tools read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dsse::{self, Envelope};
use super::gate::{Gate, Outcome, Run, all};
use super::keys::{Public, Secret};
use crate::eval::gate::Decision;
use crate::model::digest::{Algorithm, Digest};

/// What the envelope holds.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of its predicate.
pub const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// What `gate.json` is called in it.
pub const GATE: &str = "gate.json";

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is about: the artifact by the name of the version; `gate.json` where no artifact is known.
    pub subject: Vec<Resource>,
    /// [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What it says.
    pub predicate: Predicate,
}

/// A thing with its digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Digests in hexadecimal digits, by algorithm.
    pub digest: BTreeMap<String, String>,
}

/// What became of tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// What came of it.
    pub result: Outcome,
    /// What it was decided by: `gate.json`, the gate, suites, files and data.
    pub configuration: Vec<Resource>,
    /// [`Tests::passed`].
    pub passed_tests: Vec<String>,
    /// [`Tests::warned`].
    pub warned_tests: Vec<String>,
    /// [`Tests::failed`].
    pub failed_tests: Vec<String>,
}

/// What became of each rule of the gates, as `suite/gate rule`, and of each check, as `suite/check`.
#[derive(Debug, Default)]
pub struct Tests {
    /// Rules that are met; checks that passed wherever they applied.
    pub passed: Vec<String>,
    /// Checks that did not pass everywhere in a suite whose gate passed all the same: what it tolerates.
    pub warned: Vec<String>,
    /// Rules that are not met; checks that did not pass everywhere in a suite whose gate did not pass.
    pub failed: Vec<String>,
}

impl Tests {
    /// What became of them in the suites that count.
    pub fn of(runs: &[Run]) -> Self {
        let mut tests = Self::default();
        for (_, suite) in all(runs) {
            let (name, summary) = (&suite.name, &suite.summary);
            for rule in &summary.rules {
                let met = rule.decision == Decision::Passed;
                if met { &mut tests.passed } else { &mut tests.failed }.push(format!("{name}/gate {}", rule.rule));
            }
            for check in &summary.checks {
                let tally = &check.sessions;
                let everywhere = tally.fail + tally.error + tally.held == 0 && check.invalid.is_none();
                match everywhere {
                    // It applied to nothing, which the gate excuses or not by a rule of its own.
                    true if tally.pass == 0 => continue,
                    true => &mut tests.passed,
                    false if summary.decision == Decision::Passed || !check.severity.blocks() => &mut tests.warned,
                    false => &mut tests.failed,
                }
                .push(format!("{name}/{}", check.id));
            }
        }
        tests
    }
}

impl Resource {
    fn new(name: impl Into<String>, digest: &Digest) -> Self {
        let hex = digest.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let algorithm = match digest.algorithm {
            Algorithm::Sha256 => "sha256",
            Algorithm::Blake3 => "blake3",
        };
        Self { name: name.into(), digest: BTreeMap::from([(algorithm.to_owned(), hex)]) }
    }
}

impl Statement {
    /// What is said of a `gate.json`, which has the digest `of`.
    pub fn new(gate: &Gate, of: &Digest) -> Self {
        let subject = match &gate.artifact {
            Some(artifact) => Resource::new(gate.version.to_string(), artifact),
            None => Resource::new(GATE, of),
        };
        let mut configuration = vec![Resource::new(GATE, of)];
        for (run, suite) in all(&gate.runs) {
            let name = &suite.name;
            configuration.push(Resource::new(format!("gate-policy {name}"), &suite.policy));
            configuration.push(Resource::new(format!("suite {name}"), &suite.digest));
            configuration.push(Resource::new(format!("data {name}"), &suite.data.digest));
            configuration.push(Resource::new(format!("record {} of {name}", run.run), &run.record));
            configuration
                .extend(suite.files.iter().map(|(file, digest)| Resource::new(format!("file {file}"), digest)));
        }
        let tests = Tests::of(&gate.runs);
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: vec![subject],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                result: gate.result,
                configuration,
                passed_tests: tests.passed,
                warned_tests: tests.warned,
                failed_tests: tests.failed,
            },
        }
    }

    /// The statement in its envelope, as text; signed where there is a key.
    ///
    /// # Errors
    /// Those of serde_json.
    pub fn seal(&self, key: Option<&Secret>) -> serde_json::Result<String> {
        let payload = serde_json::to_vec(self)?;
        Ok(serde_json::to_string(&Envelope::new(PAYLOAD_TYPE, &payload, key))? + "\n")
    }
}

/// That an envelope holds what has to be said of a `gate.json`, signed by a trusted key; without any trusted key, nobody
/// need have signed it.
///
/// # Errors
/// Why it is not to be believed.
pub fn check(envelope: &str, gate: &Gate, of: &Digest, trusted: Option<&[Public]>) -> Result<(), String> {
    let envelope: Envelope = serde_json::from_str(envelope).map_err(|why| format!("it is no envelope: {why}"))?;
    let payload = envelope.open(PAYLOAD_TYPE).map_err(|why| why.to_string())?;
    if let Some(trusted) = trusted {
        dsse::verify(PAYLOAD_TYPE, &payload, &envelope.signatures, trusted).map_err(|why| why.to_string())?;
    }
    let statement: Statement = serde_json::from_slice(&payload).map_err(|why| format!("it is no statement: {why}"))?;
    if statement != Statement::new(gate, of) {
        return Err(format!("it does not say what {GATE} says"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::testing::gate;
    use serde_json::{Value, json};

    #[test]
    fn it_has_the_form_that_in_toto_gives_it() {
        let gate = Gate { artifact: Some(Digest::of(b"image")), ..gate() };
        let of = Digest::of(gate.text().unwrap().as_bytes());
        let value: Value = serde_json::to_value(Statement::new(&gate, &of)).unwrap();
        assert_eq!(value["_type"], STATEMENT_TYPE);
        assert_eq!(value["predicateType"], PREDICATE_TYPE);
        assert_eq!(value["subject"][0]["name"], "airline@1.4");
        let hex = Digest::of(b"image").to_string();
        assert_eq!(value["subject"][0]["digest"], json!({ "sha256": hex.trim_start_matches("sha256:") }));
        assert_eq!(value["predicate"]["result"], "PASSED");
        assert_eq!(value["predicate"]["passedTests"], json!(["a/gate pass_rate", "a/good"]));
        assert_eq!(value["predicate"]["configuration"][1]["name"], "gate-policy a");
    }

    #[test]
    fn without_an_artifact_it_is_about_the_evidence() {
        let gate = gate();
        let of = Digest::of(gate.text().unwrap().as_bytes());
        assert_eq!(Statement::new(&gate, &of).subject[0].name, GATE);
    }

    #[test]
    fn it_is_believed_only_for_its_gate_and_from_a_trusted_key() {
        let (key, other) = (Secret::of_seed(&[1; 32]), Secret::of_seed(&[2; 32]));
        let gate = gate();
        let of = Digest::of(gate.text().unwrap().as_bytes());
        let sealed = Statement::new(&gate, &of).seal(Some(&key)).unwrap();
        assert_eq!(check(&sealed, &gate, &of, Some(&[key.public()])), Ok(()));
        assert!(check(&sealed, &gate, &of, Some(&[other.public()])).unwrap_err().contains("not trusted"));
        assert!(check(&sealed, &gate, &Digest::of(b"x"), Some(&[key.public()])).unwrap_err().contains("does not say"));
        let unsigned = Statement::new(&gate, &of).seal(None).unwrap();
        assert_eq!(check(&unsigned, &gate, &of, None), Ok(()));
        assert!(check(&unsigned, &gate, &of, Some(&[key.public()])).unwrap_err().contains("not signed"));
        let better = Gate { result: Outcome::Failed, ..gate };
        assert!(check(&sealed, &better, &of, None).is_err());
    }
}
