# Installs what people use, and makes packages of it; everything else is cargo's.
#
#   make && sudo make install
#   make deb; make rpm                  (with cargo-deb, with cargo-generate-rpm)
#
# FILES is the one list of what is installed and where. Packages call this with
# DESTDIR and PREFIX, and with other folders where their system has others.

PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man
DOCDIR = $(DATADIR)/doc/minichat
LICENSEDIR = $(DOCDIR)
BASHDIR = $(DATADIR)/bash-completion/completions
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d
UNITDIR = $(PREFIX)/lib/systemd/system
# Where the two firewalls look for what programs need; ufw looks nowhere else.
FIREWALLDDIR = $(PREFIX)/lib/firewalld/services
UFWDIR = /etc/ufw/applications.d

# The program, as cargo has left it, where the environment may say.
CARGO_TARGET_DIR ?= target
BIN = $(CARGO_TARGET_DIR)/release/minichat

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
	man/pt_BR/minichat-protocol.7:$(MANDIR)/pt_BR/man7/minichat-protocol.7 \
	completions/minichat.bash:$(BASHDIR)/minichat \
	completions/_minichat:$(ZSHDIR)/_minichat \
	completions/minichat.fish:$(FISHDIR)/minichat.fish \
	packaging/minichat.service:$(UNITDIR)/minichat.service \
	packaging/firewall/firewalld.xml:$(FIREWALLDDIR)/minichat.xml \
	packaging/firewall/ufw:$(UFWDIR)/minichat \
	README.md:$(DOCDIR)/README.md \
	README.pt-BR.md:$(DOCDIR)/README.pt-BR.md \
	SECURITY.md:$(DOCDIR)/SECURITY.md \
	SECURITY.pt-BR.md:$(DOCDIR)/SECURITY.pt-BR.md \
	protocol.md:$(DOCDIR)/protocol.md \
	docs/install.md:$(DOCDIR)/docs/install.md \
	docs/install.pt-BR.md:$(DOCDIR)/docs/install.pt-BR.md \
	docs/troubleshooting.md:$(DOCDIR)/docs/troubleshooting.md \
	docs/troubleshooting.pt-BR.md:$(DOCDIR)/docs/troubleshooting.pt-BR.md \
	docs/bots.md:$(DOCDIR)/docs/bots.md \
	docs/limits.md:$(DOCDIR)/docs/limits.md \
	docs/engine.md:$(DOCDIR)/docs/engine.md \
	docs/engine.pt-BR.md:$(DOCDIR)/docs/engine.pt-BR.md \
	docs/performance.md:$(DOCDIR)/docs/performance.md \
	docs/performance.svg:$(DOCDIR)/docs/performance.svg \
	docs/session.svg:$(DOCDIR)/docs/session.svg \
	docs/session.pt-BR.svg:$(DOCDIR)/docs/session.pt-BR.svg \
	docs/page/room-phone-light-en-US.png:$(DOCDIR)/docs/page/room-phone-light-en-US.png \
	docs/page/room-phone-light-pt-BR.png:$(DOCDIR)/docs/page/room-phone-light-pt-BR.png \
	examples/client.py:$(DOCDIR)/examples/client.py \
	examples/notifier.sh:$(DOCDIR)/examples/notifier.sh \
	examples/logger.sh:$(DOCDIR)/examples/logger.sh \
	examples/answerer.py:$(DOCDIR)/examples/answerer.py \
	LICENSE:$(LICENSEDIR)/LICENSE

all:
	packaging/build

# Services and firewalls of Linux are of use there.
install:
	@set -e; for file in $(FILES); do \
		from="$${file%%:*}"; to="$(DESTDIR)$${file#*:}"; \
		case "$$from $$(uname)" in packaging/*\ Linux) ;; packaging/*) continue;; esac; \
		mode=644; [ "$$from" != "$(BIN)" ] || mode=755; \
		install -d "$$(dirname "$$to")"; \
		install -m $$mode "$$from" "$$to"; \
	done

uninstall:
	@for file in $(FILES); do rm -f "$(DESTDIR)$${file#*:}"; done
	@cd "$(DESTDIR)$(DOCDIR)" 2>/dev/null && rmdir docs/page docs examples 2>/dev/null; \
		rmdir "$(DESTDIR)$(DOCDIR)" 2>/dev/null || true

# Packages are what `install` leaves in a folder; the rest about them is in
# Cargo.toml. Everything in them is of the day of the version, so that two are the
# same, byte by byte.
DATE = $$(date -d "$$(sed -n '/^ -- .*>  /{s///p;q;}' packaging/debian-changelog)" +%s)

# Debian has zsh look elsewhere, and ufw is its firewall; where there is rpm, it is firewalld. Its licence file and what goes with the unit are
# cargo-deb's own work.
# `target/deb` and `target/rpm` are the names that Cargo.toml knows, wherever
# CARGO_TARGET_DIR has the program.
deb: all
	rm -rf target/deb
	$(MAKE) install DESTDIR=target/deb PREFIX=/usr LICENSEDIR= UNITDIR= \
		ZSHDIR=/usr/share/zsh/vendor-completions
	rm target/deb/LICENSE target/deb/minichat.service
	SOURCE_DATE_EPOCH=$(DATE) cargo deb --no-build --locked

rpm: all
	rm -rf target/rpm
	$(MAKE) install DESTDIR=target/rpm PREFIX=/usr LICENSEDIR=/usr/share/licenses/minichat
	rm -r target/rpm/etc
	SOURCE_DATE_EPOCH=$(DATE) cargo generate-rpm

.PHONY: all install uninstall deb rpm
