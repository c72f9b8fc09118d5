use super::*;

/// A folder of this test's own, in which others can be made.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("nunect-path-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a temporary folder");
    folder
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn unit() -> UnitId {
    UnitId::new("u1").expect("legal")
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().expect("it is there").mode() & 0o777
}

/// All three folders below `base`, of which `runtime` and `run` are there.
fn places(base: &Path) -> Places {
    std::fs::create_dir_all(base.join("runtime")).expect("a folder");
    std::fs::create_dir_all(base.join("run")).expect("a folder");
    Places::new(Some(&base.join("runtime")), &base.join("run"), base, uid())
}

#[test]
fn the_best_folder_that_can_be_used_is_made_for_its_user_alone() {
    let base = folder("best");
    let places = places(&base);
    let path = places.socket(&unit()).expect("a folder");
    assert_eq!(path, base.join("runtime/nunect/u1.sock"));
    assert_eq!(mode(&base.join("runtime/nunect")), 0o700);
    std::fs::set_permissions(base.join("runtime/nunect"), Permissions::from_mode(0o777)).expect("ours");
    places.socket(&unit()).expect("the same");
    assert_eq!(mode(&base.join("runtime/nunect")), 0o700, "closed to those who could put a socket of theirs there");

    std::fs::remove_dir_all(base.join("runtime")).expect("ours");
    assert_eq!(places.socket(&unit()).expect("a folder"), base.join("run/nunect/u1.sock"));
    std::fs::remove_dir_all(base.join("run")).expect("ours");
    let last = base.join(format!("nunect-{}", uid()));
    assert_eq!(places.socket(&unit()).expect("a folder"), last.join("u1.sock"));
    std::fs::remove_dir_all(&base).expect("ours");
}

#[test]
fn a_folder_of_somebody_else_or_behind_a_link_is_refused() {
    let base = folder("other");
    // As if this process were another user's.
    let places = Places::new(None, &base.join("absent"), &base, uid() + 1);
    let taken = base.join(format!("nunect-{}", uid() + 1));
    std::fs::create_dir(&taken).expect("a folder");
    let error = places.socket(&unit()).expect_err("not ours").to_string();
    assert!(error.contains(&format!("belongs to user {}", uid())) && error.contains("--socket"), "{error}");
    assert!(places.living().is_empty());

    let places = Places::new(None, &base.join("absent"), &base, uid());
    std::os::unix::fs::symlink(&taken, base.join(format!("nunect-{}", uid()))).expect("a link");
    let error = places.socket(&unit()).expect_err("a link").to_string();
    assert!(error.contains("is no folder"), "{error}");
    std::fs::remove_dir_all(&base).expect("ours");
}

#[tokio::test]
async fn a_socket_is_its_users_alone_is_found_while_somebody_listens_and_removed_at_the_end() {
    let base = folder("claim");
    let places = places(&base);
    assert!(matches!(places.find(None), Err(ControlError::NoNode)));
    let path = places.socket(&unit()).expect("a folder");
    let (listener, claim) = Claim::new(path.clone()).await.expect("free");
    assert_eq!((mode(&path), claim.path()), (0o600, &*path));
    assert_eq!(places.find(None).expect("the only one"), path);
    let second = base.join("run/nunect/u2.sock");
    std::fs::create_dir(base.join("run/nunect")).expect("a folder");
    let (other, other_claim) = Claim::new(second.clone()).await.expect("free");
    let error = places.find(None).expect_err("two").to_string();
    assert!(error.contains("u1.sock\n") && error.ends_with("u2.sock"), "{error}");
    assert_eq!(places.find(Some(Path::new("x.sock"))).expect("as named"), Path::new("x.sock"));

    drop((listener, claim));
    assert!(!path.exists());
    // As a process that is killed leaves it.
    std::mem::forget(other_claim);
    drop(other);
    assert!(second.exists() && places.living().is_empty());
    let error = places.find(None).expect_err("none").to_string();
    assert!(error.contains("nunect up") && error.contains("--nats"), "{error}");
    std::fs::remove_dir_all(&base).expect("ours");
}

#[tokio::test]
async fn the_leftover_of_a_dead_node_is_taken_over_and_nothing_else() {
    let base = folder("over");
    let path = base.join("u1.sock");
    let (listener, claim) = Claim::new(path.clone()).await.expect("free");
    let error = Claim::new(path.clone()).await.expect_err("somebody listens");
    assert!(matches!(&error, ControlError::InUse { unit: None, .. }), "{error}");
    drop(listener);
    let (_listener, second) = Claim::new(path.clone()).await.expect("a leftover");
    // The first one's end does not take the second one's socket away.
    drop(claim);
    assert!(path.exists() && answers(&path));
    drop(second);
    assert!(!path.exists());

    std::fs::write(&path, "precious").expect("a file");
    let error = Claim::new(path.clone()).await.expect_err("a file").to_string();
    assert!(error.contains("is no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "precious");
    std::fs::remove_dir_all(&base).expect("ours");
}

#[tokio::test]
async fn a_path_that_the_system_does_not_take_is_said_to_be_too_long() {
    let base = folder("long");
    let error = Claim::new(base.join("x".repeat(SOCKET_PATH_MAX_BYTES))).await.expect_err("too long").to_string();
    assert!(error.contains("107 is the most") && error.contains("--socket"), "{error}");
    std::fs::remove_dir_all(&base).expect("ours");
}

#[tokio::test]
async fn two_nodes_that_start_at_once_on_a_leftover_do_not_both_get_it() {
    let base = folder("race");
    let path = base.join("u1.sock");
    for _ in 0..5 {
        let (listener, claim) = Claim::new(path.clone()).await.expect("free");
        std::mem::forget(claim);
        drop(listener);
        let both = tokio::join!(Claim::new(path.clone()), Claim::new(path.clone()));
        let won = [both.0.is_ok(), both.1.is_ok()];
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
    }
    std::fs::remove_dir_all(&base).expect("ours");
}
