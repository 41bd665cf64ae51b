# Installs what people use; everything else is cargo's.
#
#   cargo build --release && sudo make install
#
# FILES is the one list of what is installed and where. Packages call this with
# DESTDIR and PREFIX, and with other folders where their system has others.

PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man
DOCDIR = $(DATADIR)/doc/minichat
BASHDIR = $(DATADIR)/bash-completion/completions
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d

# The program, as cargo has left it.
BIN = target/release/minichat

# From here, a colon, to there. PowerShell has no usual place for completions;
# `minichat completions powershell` prints them.
FILES = \
	$(BIN):$(BINDIR)/minichat \
	man/minichat.1:$(MANDIR)/man1/minichat.1 \
	man/minichat-server.1:$(MANDIR)/man1/minichat-server.1 \
	man/minichat-discover.1:$(MANDIR)/man1/minichat-discover.1 \
	man/minichat-connect.1:$(MANDIR)/man1/minichat-connect.1 \
	man/minichat-protocol.7:$(MANDIR)/man7/minichat-protocol.7 \
	man/pt_BR/minichat.1:$(MANDIR)/pt_BR/man1/minichat.1 \
	man/pt_BR/minichat-server.1:$(MANDIR)/pt_BR/man1/minichat-server.1 \
	man/pt_BR/minichat-discover.1:$(MANDIR)/pt_BR/man1/minichat-discover.1 \
	man/pt_BR/minichat-connect.1:$(MANDIR)/pt_BR/man1/minichat-connect.1 \
	completions/minichat.bash:$(BASHDIR)/minichat \
	completions/_minichat:$(ZSHDIR)/_minichat \
	completions/minichat.fish:$(FISHDIR)/minichat.fish \
	README.md:$(DOCDIR)/README.md \
	protocol.md:$(DOCDIR)/protocol.md \
	LICENSE:$(DOCDIR)/LICENSE

all:
	cargo build --release --locked

install:
	@set -e; for file in $(FILES); do \
		from="$${file%%:*}"; to="$(DESTDIR)$${file#*:}"; \
		mode=644; [ "$$from" != "$(BIN)" ] || mode=755; \
		install -d "$$(dirname "$$to")"; \
		install -m $$mode "$$from" "$$to"; \
	done

uninstall:
	@for file in $(FILES); do rm -f "$(DESTDIR)$${file#*:}"; done
	@rmdir "$(DESTDIR)$(DOCDIR)" 2>/dev/null || true

.PHONY: all install uninstall
