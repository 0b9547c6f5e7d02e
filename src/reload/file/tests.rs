//! Tests of which files form a policy, and of the findings about files that cannot be read.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn list_files(sources: &Sources) -> Vec<&str> {
    sources.iter().map(|(_, source)| &*source.name).collect()
}

fn message(path: &Path) -> String {
    read(path).unwrap_err().message
}

#[test]
fn a_file_is_shown_under_the_path_that_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noah-es.yaml");
    fs::write(&path, "version: 1\n").unwrap();
    let sources = read(&path).unwrap();
    assert_eq!(list_files(&sources), [path.to_str().unwrap()]);
    assert_eq!(sources.source(0).unwrap().text, "version: 1\n");
}

#[test]
fn a_folder_is_its_yaml_files_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("noah-es");
    fs::create_dir_all(root.join("old")).unwrap();
    for name in ["20-roles.yml", "10-routes.yaml", "9-first.yaml", "a.cases.yaml", "b.cases.yml", "README.md"] {
        fs::write(root.join(name), "").unwrap();
    }
    for name in [".10-routes.yaml.swp", ".hidden.yaml", "10-routes.yaml~", "#10-routes.yaml#", "x.yaml.bak"] {
        fs::write(root.join(name), "").unwrap();
    }
    symlink("nobody@host:1", root.join(".#10-routes.yaml")).unwrap();
    let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
    let expected = [path("10-routes.yaml"), path("20-roles.yml"), path("9-first.yaml")];
    assert_eq!(list_files(&read(&root).unwrap()), expected);
}

#[test]
fn symlinks_are_followed_and_shown_as_given() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("..v1")).unwrap();
    fs::write(root.join("..v1/p.yaml"), "version: 1\n").unwrap();
    symlink("..v1", root.join("..data")).unwrap();
    symlink("..data/p.yaml", root.join("p.yaml")).unwrap();
    let sources = read(root).unwrap();
    assert_eq!(list_files(&sources), [root.join("p.yaml").to_str().unwrap()]);
    assert_eq!(sources.source(0).unwrap().text, "version: 1\n");
}

#[test]
fn what_is_no_policy_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(message(&root.join("none.yaml")).ends_with("none.yaml` is gone"));
    assert!(message(root).ends_with("` holds no policy file"));
    fs::write(root.join("latin.yaml"), b"name: caf\xe9\n").unwrap();
    assert!(message(&root.join("latin.yaml")).ends_with("latin.yaml` is not UTF-8 at byte offset 9"));
    assert!(message(root).ends_with("latin.yaml` is not UTF-8 at byte offset 9"));
    fs::remove_file(root.join("latin.yaml")).unwrap();
    fs::create_dir(root.join("sub.yaml")).unwrap();
    assert!(message(root).ends_with("sub.yaml` is no file"));
    fs::remove_dir(root.join("sub.yaml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket.yaml")).unwrap();
    assert!(message(&root.join("socket.yaml")).ends_with("socket.yaml` is no file"));
    symlink("nowhere", root.join("dangling.yaml")).unwrap();
    assert!(message(&root.join("dangling.yaml")).ends_with("dangling.yaml` is gone"));
}

#[test]
fn the_files_of_a_policy_share_one_bound() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.path().join(name), "12345").unwrap();
    }
    assert!(read_at_most(folder.path(), 10).is_ok());
    let refused = read_at_most(folder.path(), 9).unwrap_err().into_finding();
    assert!(refused.message.ends_with("b.yaml` is more than may be read"));
}

#[test]
fn the_hash_tells_names_contents_and_their_borders_apart() {
    let of = |files: &[(&str, &str)]| {
        let mut sources = Sources::default();
        files.iter().for_each(|(name, text)| {
            sources.add(*name, text);
        });
        hash_sources(&sources)
    };
    let first = of(&[("a", "xy"), ("b", "z")]);
    assert_eq!(first, of(&[("a", "xy"), ("b", "z")]));
    for other in [of(&[("a", "x"), ("b", "yz")]), of(&[("c", "xy"), ("b", "z")]), of(&[("a", "xy")]), of(&[])] {
        assert_ne!(first, other);
    }
}
