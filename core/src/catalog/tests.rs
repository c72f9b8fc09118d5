use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::actor::{Contract, Effects, Fault, Input};
use crate::arbitrary::at_millis;
use crate::config::{Period, period_within};
use crate::testing::birth;
use crate::time::Now;

/// Something that is configured in full.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How often.
    #[garde(custom(period_within(Duration::from_millis(100), Duration::from_secs(60))))]
    interval: Period,
    /// To whom.
    #[garde(dive)]
    peers: Vec<Peer>,
}

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Peer {
    #[garde(length(max = 8))]
    unit: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: Period::from_secs(5), peers: Vec::new() }
    }
}

struct Prober(Options);

impl Actor for Prober {
    const KIND: &'static str = "prober";
    type Config = Options;
    fn new(options: Options, birth: &Birth) -> Result<Self, ConfigError> {
        let own = options.peers.iter().any(|peer| peer.unit == birth.unit.as_str());
        if own { Err(ConfigError::new("peers", "nobody probes itself")) } else { Ok(Self(options)) }
    }
    fn contract(&self) -> Contract {
        let mut contract = Contract::default();
        contract.mailbox.capacity = self.0.peers.len();
        contract
    }
    fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
        Ok(())
    }
}

/// Something that has no options.
struct Parrot;

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Actor for Parrot {
    const KIND: &'static str = "parrot";
    type Config = Nothing;
    fn new(_: Nothing, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn contract(&self) -> Contract {
        Contract::default()
    }
    fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
        Ok(())
    }
}

struct Misnamed;

impl Actor for Misnamed {
    const KIND: &'static str = "mis.named";
    type Config = Nothing;
    fn new(_: Nothing, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn contract(&self) -> Contract {
        Contract::default()
    }
    fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
        Ok(())
    }
}

fn catalog() -> Catalog {
    Catalog::new().with::<Prober>().with::<Parrot>()
}

fn spec(name: &str, value: Value) -> ActorSpec {
    ActorSpec::parse(name, &value).expect("well formed").expect("enabled")
}

/// What is wrong with an actor, as its reader is told.
fn problem(name: &str, value: Value) -> String {
    catalog().check(&spec(name, value)).expect_err("a problem").to_string()
}

fn malformed(name: &str, value: Value) -> String {
    ActorSpec::parse(name, &value).expect_err("malformed").to_string()
}

#[test]
fn the_kind_of_an_actor_is_its_name_unless_it_says_otherwise() {
    assert_eq!(spec("prober", json!({})).kind, "prober");
    let spec = spec("far", json!({ "kind": "prober", "enabled": true, "interval": "1s" }));
    assert_eq!((spec.name.as_str(), spec.kind.as_str()), ("far", "prober"));
    assert_eq!(spec.config, json!({ "interval": "1s" }), "what is left is the actor's own");
}

#[test]
fn an_actor_without_options_may_be_written_in_any_of_three_ways() {
    for value in [json!(null), json!({}), json!({ "kind": "parrot" })] {
        assert_eq!(catalog().check(&spec("parrot", value)), Ok(()));
    }
    let entry = Entry::of::<Parrot>();
    assert_eq!((entry.check)(&Value::Null), Ok(()));
}

#[test]
fn an_actor_that_is_not_enabled_is_none() {
    assert_eq!(ActorSpec::parse("prober", &json!({ "enabled": false, "interval": 5 })), Ok(None));
}

#[test]
fn a_malformed_actor_says_which_key_and_why() {
    for (value, expected) in [
        (json!("prober"), "far: write its options under it, such as `{ kind: echo }`"),
        (json!(["prober"]), "far: write its options under it, such as `{ kind: echo }`"),
        (json!({ "enabled": "yes" }), "far.enabled: `\"yes\"` is neither true nor false"),
        (json!({ "kind": 5 }), "far.kind: `5` is no kind of actor"),
    ] {
        assert_eq!(malformed("far", value), expected);
    }
    let words = malformed("a.b", json!({}));
    assert!(words.starts_with("a.b: actor name `a.b`: character '.' is not allowed"), "{words}");
}

#[test]
fn an_unknown_kind_lists_the_known_ones_in_their_order() {
    let words = problem("far", json!({ "kind": "probe" }));
    assert_eq!(words, "far.kind: no kind of actor is called `probe`; known: prober, parrot");
}

#[test]
fn an_unknown_option_names_its_key_and_the_known_ones() {
    let words = problem("far", json!({ "kind": "prober", "intervall": "5s" }));
    assert_eq!(words, "far.intervall: unknown field `intervall`, expected `interval` or `peers`");
    let words = problem("far", json!({ "kind": "prober", "peers": [{ "unit": "a" }, { "unit": "b", "port": 1 }] }));
    assert_eq!(words, "far.peers[1].port: unknown field `port`, expected `unit`");
}

#[test]
fn an_option_of_another_type_names_its_key() {
    let words = problem("far", json!({ "kind": "prober", "interval": 5 }));
    assert_eq!(
        words,
        "far.interval: invalid type: integer `5`, expected a duration with its unit, such as 5s or 250ms"
    );
    let words = problem("far", json!({ "kind": "prober", "peers": [{}] }));
    assert_eq!(words, "far.peers[0]: missing field `unit`");
    let error = (Entry::of::<Prober>().check)(&json!(5)).expect_err("no options at all");
    assert_eq!(error, ConfigError::new("", "invalid type: integer `5`, expected struct Options"));
}

#[test]
fn an_option_out_of_bounds_names_its_key() {
    let words = problem("far", json!({ "kind": "prober", "interval": "2m" }));
    assert_eq!(words, "far.interval: 2m is outside 100ms to 1m");
    let words = problem("far", json!({ "kind": "prober", "peers": [{ "unit": "a" }, { "unit": "much-too-long" }] }));
    assert!(words.starts_with("far.peers[1].unit: length is greater than 8"), "{words}");
}

#[test]
fn what_is_legal_and_impossible_all_the_same_shows_when_a_life_begins() {
    let catalog = catalog();
    let config = json!({ "peers": [{ "unit": "u" }] });
    let entry = catalog.get("prober").expect("known");
    let mut birth = birth("far", at_millis(0));
    let actor = (entry.build)(&config, &birth).expect("possible");
    assert_eq!(actor.contract().mailbox.capacity, 1, "the configuration reached it");
    birth.unit = crate::arbitrary::unit_named("u");
    let error = (entry.build)(&config, &birth).map(drop).expect_err("impossible");
    assert_eq!(error.to_string(), "peers: nobody probes itself");
    assert_eq!((entry.check)(&config), Ok(()), "checking begins no life");
}

#[test]
fn kinds_stand_in_the_order_they_were_added_and_each_once() {
    let catalog = catalog().with::<Prober>();
    assert_eq!(catalog.kinds().collect::<Vec<_>>(), ["prober", "parrot"]);
    assert!(catalog.entries().map(|entry| entry.kind).eq(catalog.kinds()));
    assert_eq!(format!("{:?}", Entry::of::<Parrot>()), "Entry(\"parrot\")");
}

#[test]
fn the_schema_of_a_kind_is_that_of_its_options() {
    let mut generator = SchemaGenerator::default();
    let schema = (Entry::of::<Prober>().schema)(&mut generator);
    assert_eq!(schema.get("$ref"), Some(&json!("#/$defs/Options")));
    let definition = &generator.definitions()["Options"];
    assert_eq!(definition["properties"]["interval"]["default"], json!("5s"));
    assert_eq!(definition["additionalProperties"], json!(false));
}

#[test]
#[should_panic(expected = "Actor::KIND `mis.named` must match [A-Za-z0-9_-]+")]
fn a_kind_that_is_no_token_is_a_mistake_in_the_program() {
    let _catalog = Catalog::new().with::<Misnamed>();
}
