# The tasks of the project. `just` lists them; each is one command that also works by hand.

_default:
    @just --list --unsorted

# build the program for trying it
build:
    cargo build --locked

# run the program, as in: just run server --port 0
run *arguments:
    cargo run --locked -- {{ arguments }}

# unit tests and the quick tests of the program: under 20 s once it is built
test-fast:
    cargo test --locked --quiet --lib
    cargo test --locked --quiet --test it -- floors:: generated:: documented:: sessions:: script:: promises:: dialects:: nicks:: order::

# all tests; those of discovery make network namespaces
test:
    cargo test --locked

# the tests of one name, as in: just test-only generated::
test-only filter:
    cargo test --locked --test it -- {{ filter }}

# formatting, lints and documentation
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# write the generated parts of completions, man pages and READMEs anew
generate:
    cargo test --locked --quiet --test it -- --ignored write_generated_files

# fifty people talk for ten minutes
soak:
    cargo test --release --locked --test it -- --ignored soak

# all fuzz targets, for so many seconds each
fuzz seconds="600":
    for target in fuzz/fuzz_targets/*.rs; do RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none "$(basename "$target" .rs)" -- -max_total_time={{ seconds }} || exit 1; done

# the figures of the README
bench:
    cargo bench --bench chat

# record the pictures of the README anew
pictures:
    cargo test --locked --test it -- --ignored picture

# everything that is checked before a merge
check:
    .ci/run

# lints and tests for Windows and macOS, on Debian
windows:
    .ci/windows

# packages for Debian and for Fedora
packages:
    make deb rpm
