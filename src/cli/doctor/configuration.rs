//! Whether the configuration can be used, and what it makes of the node.

use nunect_runtime::config::Origin;

use super::{Context, Finding};

/// Every mistake, every warning, or that there is none.
pub(super) fn valid(context: &Context<'_>) -> Vec<Finding> {
    let check = "configuration";
    match &context.loaded {
        Err(problems) => {
            problems.iter().map(|one| Finding::problem(check, one.to_string(), one.help.clone())).collect()
        }
        Ok(loaded) => {
            let warnings = loaded.warnings.iter();
            let mut found: Vec<Finding> =
                warnings.map(|one| Finding::warning(check, one.to_string(), one.help.clone())).collect();
            let names: Vec<&str> = loaded.profile.actors.iter().map(|actor| actor.name.as_str()).collect();
            found.push(Finding::ok(check, format!("valid, with the actors {}", names.join(", "))));
            found
        }
    }
}

/// The node's name, and who gave it.
pub(super) fn unit(context: &Context<'_>) -> Vec<Finding> {
    let Ok(loaded) = &context.loaded else { return Vec::new() };
    let unit = &loaded.profile.unit;
    let (origin, place) = loaded.origin("metadata.unit_id");
    let line = place.map(|place| format!(":{}", place.line)).unwrap_or_default();
    let generic = ["localhost", "debian", "ubuntu", "raspberrypi"].contains(&unit.as_str());
    if origin == Origin::HostName && generic {
        let what = format!("`{unit}`, from the host name, which other machines have, too");
        return vec![Finding::warning("unit ID", what, "set metadata.unit_id, or NUNECT_METADATA__UNIT_ID")];
    }
    let whence =
        if let Origin::File(path) = &origin { format!("{}{line}", path.display()) } else { format!("the {origin}") };
    vec![Finding::ok("unit ID", format!("`{unit}`, from {whence}"))]
}
