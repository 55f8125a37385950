//! Those that lay links, or use what is there, to write where these lead.

use super::Outcome::{Confined, Refused, RefusedIfPlanted};
use super::{Header, Hostile, case};

pub(super) const CASES: &[Hostile] = &[
    case("a file through an absolute link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.file(&format!("{}/l/evil", site.top), "evil").end();
    }),
    case("a file through a relative link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.relative);
        tar.file(&format!("{}/l/secret", site.top), "evil").end();
    }),
    case("a file through a link to the same directory", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), ".");
        tar.file(&format!("{}/l/evil", site.top), "evil").end();
    }),
    case("a directory through a link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.dir(&format!("{}/l/evil", site.top), 0o755).end();
    }),
    case("a link through a link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.symlink(&format!("{}/l/evil", site.top), "secret").end();
    }),
    case("a file through two links", Refused, |site, tar| {
        tar.symlink(&format!("{}/a", site.top), "b");
        tar.symlink(&format!("{}/b", site.top), site.outside);
        tar.file(&format!("{}/a/evil", site.top), "evil").end();
    }),
    case("a file through a link further down", Refused, |site, tar| {
        tar.dir(&format!("{}/d", site.top), 0o755);
        tar.symlink(&format!("{}/d/l", site.top), site.outside);
        tar.file(&format!("{}/d/l/dir/below/file", site.top), "evil").end();
    }),
    case("a file through a link in /proc", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), "/proc/self/root");
        tar.file(&format!("{}/l{}/evil", site.top, site.outside), "evil").end();
    }),
    case("a file through a link that is laid twice", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), ".");
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.file(&format!("{}/l/evil", site.top), "evil").end();
    }),
    case("a file through a link that leads to itself", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), "l");
        tar.file(&format!("{}/l/evil", site.top), "evil").end();
    }),
    case("a top that is a link", Refused, |site, tar| {
        tar.symlink(site.top, site.outside);
        tar.file(&format!("{}/evil", site.top), "evil").end();
    }),
    case("a top that is a directory and then a link", Refused, |site, tar| {
        tar.dir(site.top, 0o755).symlink(site.top, site.outside);
        tar.file(&format!("{}/evil", site.top), "evil").end();
    }),
    case("a file on a link to a file", Confined, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), &format!("{}/secret", site.outside));
        tar.file(&format!("{}/l", site.top), "evil").end();
    }),
    case("a file on a link to nothing", Confined, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), &format!("{}/new", site.outside));
        tar.file(&format!("{}/l", site.top), "evil").end();
    }),
    case("a file, then a link, then a file", Confined, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.symlink(&format!("{}/f", site.top), &format!("{}/secret", site.outside));
        tar.file(&format!("{}/f", site.top), "evil").end();
    }),
    case("a directory on a link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.dir(&format!("{}/l", site.top), 0o777).end();
    }),
    case("a directory with a slash on a link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.dir(&format!("{}/l/", site.top), 0).end();
    }),
    case("the link's own directory, by a dot", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.dir(&format!("{}/l/.", site.top), 0).end();
    }),
    case("a link in the place of a directory", Refused, |site, tar| {
        tar.dir(&format!("{}/d", site.top), 0o755);
        tar.symlink(&format!("{}/d", site.top), site.outside);
        tar.file(&format!("{}/d/evil", site.top), "evil").end();
    }),
    case(
        "a link in the place of a directory that is full",
        Refused,
        |site, tar| {
            tar.file(&format!("{}/d/f", site.top), "good");
            tar.symlink(&format!("{}/d", site.top), site.outside).end();
        },
    ),
    case("permissions and time of what a link leads to", Confined, |site, tar| {
        let header = Header::new(b'2', format!("{}/l", site.top).as_bytes()).mode(0o6777);
        tar.long(b'K', format!("{}/secret", site.outside).as_bytes())
            .add(header, b"")
            .end();
    }),
    case("a link with content", Refused, |site, tar| {
        let header = Header::new(b'2', format!("{}/l", site.top).as_bytes())
            .link(b"x")
            .size(4);
        tar.add(header, b"evil").end();
    }),
    case("a link that leads nowhere", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), "").end();
    }),
    case("a link that is too long", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), &"x".repeat(10_000)).end();
    }),
    case("links that lead out and are not used", Confined, |site, tar| {
        tar.symlink(&format!("{}/python", site.top), "/usr/bin/python3");
        tar.symlink(&format!("{}/up", site.top), "../../..");
        tar.symlink(&format!("{}/out", site.top), site.outside).end();
    }),
    case("a hard link to an absolute name", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/secret", site.outside))
            .end();
    }),
    case("a hard link that goes up", Refused, |site, tar| {
        tar.hard_link(
            &format!("{}/h", site.top),
            &format!("{}/{}/secret", site.top, site.relative),
        )
        .end();
    }),
    case("a hard link that goes up at once", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), "../outside/secret").end();
    }),
    case("a hard link through a link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), site.outside);
        tar.hard_link(&format!("{0}/h", site.top), &format!("{}/l/secret", site.top));
        tar.file(&format!("{}/h", site.top), "evil").end();
    }),
    case("a hard link to a link", Refused, |site, tar| {
        tar.symlink(&format!("{}/l", site.top), &format!("{}/secret", site.outside));
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/l", site.top))
            .end();
    }),
    case("a hard link to a directory", Refused, |site, tar| {
        tar.dir(&format!("{}/d", site.top), 0o755);
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/d", site.top))
            .end();
    }),
    case("a hard link to the top", Refused, |site, tar| {
        tar.dir(site.top, 0o755)
            .hard_link(&format!("{}/h", site.top), site.top)
            .end();
    }),
    case("a hard link to what is not there", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/nothing", site.top))
            .end();
    }),
    case("a hard link to nothing", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), "").end();
    }),
    case("a hard link to another tree", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), "another/secret").end();
    }),
    case("another target of a hard link in a pax record", Refused, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.pax(b'x', &[("linkpath", format!("{}/secret", site.outside).as_bytes())]);
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/f", site.top))
            .end();
    }),
    case("another target of a hard link in GNU's record", Refused, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.long(b'K', format!("{}/secret", site.outside).as_bytes());
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/f", site.top))
            .end();
    }),
    case("a hard link with content", Refused, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        let header = Header::new(b'1', format!("{}/h", site.top).as_bytes());
        tar.add(header.link(format!("{}/f", site.top).as_bytes()).size(4), b"evil")
            .end();
    }),
    case("a hard link to itself", Confined, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.hard_link(&format!("{}/f", site.top), &format!("{}/f", site.top))
            .end();
    }),
    case("a hard link on a hard link", Confined, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/f", site.top));
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/f", site.top));
        tar.file(&format!("{}/f", site.top), "evil").end();
    }),
    case("a hard link to a file that was there", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/hard", site.top));
        tar.file(&format!("{}/h", site.top), "evil").end();
    }),
    case("a hard link to a link that was there", Refused, |site, tar| {
        tar.hard_link(&format!("{}/h", site.top), &format!("{}/to-file", site.top))
            .end();
    }),
    case("a file on a hard link that was there", Confined, |site, tar| {
        tar.program(&format!("{}/hard", site.top), 0o777).end();
    }),
    case("a file through a link that was there", RefusedIfPlanted, |site, tar| {
        tar.file(&format!("{}/to-dir/evil", site.top), "evil").end();
    }),
    case(
        "a file over one, through a link that was there",
        RefusedIfPlanted,
        |site, tar| {
            tar.file(&format!("{}/dir/inner/file", site.top), "evil").end();
        },
    ),
    case("a directory on a link that was there", RefusedIfPlanted, |site, tar| {
        tar.dir(&format!("{}/to-dir", site.top), 0o777).end();
    }),
    case(
        "a directory on a link to nothing that was there",
        RefusedIfPlanted,
        |site, tar| {
            tar.dir(&format!("{}/dangling", site.top), 0o777).end();
        },
    ),
    case(
        "a directory on a link to itself that was there",
        RefusedIfPlanted,
        |site, tar| {
            tar.file(&format!("{}/loop/x", site.top), "evil").end();
        },
    ),
    case("a file on a link to a file that was there", Confined, |site, tar| {
        tar.program(&format!("{}/to-file", site.top), 0o777).end();
    }),
    case("a file on a link to nothing that was there", Confined, |site, tar| {
        tar.file(&format!("{}/dangling", site.top), "evil").end();
    }),
    case(
        "a file on a link to a directory that was there",
        Confined,
        |site, tar| {
            tar.file(&format!("{}/to-dir", site.top), "evil").end();
        },
    ),
    case("a file on a pipe that was there", Confined, |site, tar| {
        tar.file(&format!("{}/pipe", site.top), "evil").end();
    }),
];
