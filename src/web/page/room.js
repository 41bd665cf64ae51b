// The conversation: what the page sends, what it receives, and the connection. It speaks
// the protocol of the chat, line by line, over one WebSocket.

const MAX_SHOWN = 1000; // How many messages and notices the page keeps.
const MAX_PIECE = 3900; // The longest text in one line, in bytes.
const MAX_NICK = 32; // Characters.
const SILENCE = 25000; // Milliseconds without a line after which the page asks the server.
const PATIENCE = 8000; // Milliseconds that the server has to answer.
const GHOST_TRIES = 4; // How often the page asks for a nick that its old connection holds.
const GHOST_PAUSE = 1500; // Milliseconds between two of these.
const BUDGET = 24; // Milliseconds of work at a time, so that keys are answered.
const MIN_SLICE = 10; // How few messages are shown at a time on a slow device.
const CALM = 8; // With so many lines at a time, messages appear without a movement.
const RING_PAUSE = 3000; // Milliseconds between two sounds.
const TURN = 250; // Milliseconds between two attempts while the room moves to another machine.
const BRIEF = 1500; // Milliseconds that each of them may take.
const TURNS = 40; // With so many attempts in vain, the page tells where the room may be.

const $ = id => document.getElementById(id);
const log = $("log"), text = $("text");
function make(tag, className, content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  return element;
}
// Private windows can refuse to store anything.
function store(name, value) { try { localStorage.setItem("minichat." + name, value); } catch (_) { return; } }
function stored(name) { try { return localStorage.getItem("minichat." + name); } catch (_) { return null; } }
// Two nicks with the same key are the same nick (protocol.md, section 5).
const keyOf = nick => nick.normalize("NFKC").toLowerCase().normalize("NFKC").replace(/ς/g, "σ");

let title = "minichat";
let socket = null, member = false, ended = false; // `ended`: the server said goodbye.
let me = "", wanted = ""; // The nick that the server knows, and the one that was asked for.
let home = ""; // The nick to return to when the old connection has given it up.
let unanswered = []; // What was sent and awaits its answer, in order.
let heardAt = 0, askedAt = 0, lostAt = 0, attempts = 0, ghostTries = 0, timer = 0;
// Where the room is; where it may go on, and what is left to try of that; its last word.
let host = location.host, told = host, next = [], ways = [], goesOn = "";
let people = new Map(), listed = null; // Key -> person: { nick, gone }.
let untold = false; // The server does not tell who comes and who goes, or has not named all.
let target = null; // The person to whom the next text goes alone.
let sound = stored("sound") !== "off", audio = null, rangAt = 0;

// ---- Sending ----

function send(line, item) {
  if (!socket || socket.readyState !== 1) { fail(item); return; }
  socket.send(line + "\n");
  unanswered.push(item);
}

// Answers come in the order of the questions. A private line has no answer, so the page
// asks for its own nick after it: the welcome means that the line has arrived.
function ask() {
  askedAt = Date.now();
  send("NICK " + me, { kind: "nick" });
}

// Takes the first question of this kind; what came before it has arrived.
function settle(kind) {
  while (unanswered.length) {
    const item = unanswered.shift();
    if (item.kind === "who" && listed) { people = listed; listed = null; showPeople(); }
    if (item.kind === kind) return item;
    if (item.row) item.row.classList.remove("waiting");
  }
  return null;
}

function fail(item, why) {
  if (!item.row || item.row.classList.contains("failed")) return;
  item.row.classList.remove("waiting");
  item.row.classList.add("failed");
  const retry = make("button", "retry", (why ? why + " " : "") + T.tryAgain);
  retry.type = "button";
  retry.onclick = () => {
    if (item.person && item.person.gone) { notice(T.hasLeft(item.person.nick)); return; }
    item.row.remove();
    previous = null;
    speak(item.text, item.person);
  };
  item.row.appendChild(retry);
}

function speak(words, person) {
  const item = { kind: person ? "private" : "say", text: words, person: person };
  item.row = message(me, words, { own: true, person: person, waiting: true });
  send("MSG " + (person ? "@" + person.nick + " " : "") + words, item);
  if (person) ask();
}

const bytesOf = c => { const n = c.codePointAt(0); return n < 0x80 ? 1 : n < 0x800 ? 2 : n < 0x10000 ? 3 : 4; };

// Cuts a text into pieces that fit into a line, at blanks where there are any.
function pieces(words) {
  const all = [];
  let piece = "", size = 0, blank = 0;
  for (const c of words) {
    if (size + bytesOf(c) > MAX_PIECE) {
      const at = blank > piece.length / 2 ? blank : piece.length;
      all.push(piece.slice(0, at));
      piece = piece.slice(at);
      size = Array.from(piece).reduce((sum, c) => sum + bytesOf(c), 0);
      blank = 0;
    }
    piece += c;
    size += bytesOf(c);
    if (c === " ") blank = piece.length;
  }
  all.push(piece);
  return all;
}

// Reads the field. What cannot be sent stays in it.
function submit() {
  const words = text.value.replace(/\r/g, "");
  if (!member || !words.trim()) return;
  const command = /^\s*\/([a-z]+)(?:\s+([^]*))?$/i.exec(words);
  if (command ? obey(command[1].toLowerCase(), (command[2] || "").trim()) : write(words)) {
    text.value = "";
    grow();
    offerNames();
  }
}

function obey(command, rest) {
  const direct = /^@?(\S+)\s+([^]+)$/.exec(rest), before = page;
  page = 0; // Only /last right after /last turns the page.
  switch (command) {
    case "nick":
      if (!rest) return false;
      wanted = nickFrom(rest);
      home = "";
      send("NICK " + wanted, { kind: "nick" });
      return true;
    case "msg": return direct ? tell(direct[1], direct[2]) : false;
    case "me": return rest ? say("/me " + rest, target) : false;
    case "who": openPeople(true); return true;
    case "last": return askPast("LAST 20" + (before ? " BEFORE " + before : ""), "last");
    case "search": return rest ? askPast("FIND " + rest, "find") : false;
    case "quit": send("QUIT", { kind: "quit" }); return true;
    default: notice(T.noCommand); return false;
  }
}

function write(words) {
  const direct = /^\s*[@＠](\S*)\s*([^]*)$/.exec(words);
  if (!direct) return say(words.replace(/^(\s*)\/\//, "$1/"), target);
  if (!direct[2]) { notice(T.noText(direct[1])); return false; }
  return tell(direct[1], direct[2]);
}

function tell(nick, words) {
  const person = people.get(keyOf(nick)) || (untold && { nick: nick });
  if (!person) { notice(T.notHere(nick)); return false; }
  return say(words, person);
}

function say(words, person) {
  if (person && person.gone) { notice(T.hasLeft(person.nick)); return false; }
  if (unreadMark) { unreadMark.remove(); unreadMark = null; }
  words.trim().split("\n").forEach(line => {
    pieces(literal(line, person)).forEach(piece => speak(piece, person));
  });
  toEnd();
  return true;
}

// A line that begins with an at sign would go to one person, and an empty one to nobody. A
// blank pattern of Braille in front makes both a text (protocol.md, section 6).
const literal = (line, person) => (person ? /^\s*$/ : /^\s*([@＠]|$)/).test(line) ? "\u2800" + line : line;

// A nick has no blanks.
const nickFrom = name => Array.from(name.trim().replace(/\s+/g, "-")).slice(0, MAX_NICK).join("");

// ---- Receiving ----

let lines = [], draining = false;
let slice = 50; // How many messages can be shown, with their layout, in about a budget.
const said = []; // The newest public messages, to recognise what history repeats.
let historyLeft = 0, replay = []; // History that is still to come, and what has come of it.
let gapNotice = null;
// The place in the room: a term and the number of the last message (protocol.md, section 14).
let place = null, uncounted = false; // `uncounted`: the last line may be the server's last word.
let remembers = false, question = null, page = 0, past = []; // `page`: where the next /last ends.

// A flood is shown in slices, so that the page answers keys in between.
function receive(data) {
  data.split("\n").forEach(line => { if (line) lines.push(line); });
  if (document.hidden) drain(Infinity);
  else if (!draining) { draining = true; setTimeout(drain, 0, BUDGET); }
}

function drain(budget) {
  const begin = performance.now();
  const following = isAtEnd();
  batch = document.createDocumentFragment();
  let done = 0, built = 0;
  while (done < lines.length && !(budget < Infinity && (built > slice || performance.now() - begin > budget))) {
    // A message that would be trimmed at once is not built.
    const unseen = following && lines.length - done > MAX_SHOWN;
    if (!unseen) built++;
    hear(lines[done++], unseen);
  }
  lines.splice(0, done);
  flush(following);
  // The layout costs more than the messages themselves, so the whole of it is measured.
  if (performance.now() - begin > budget) slice = Math.max(MIN_SLICE, slice / 2);
  else slice = Math.min(MAX_SHOWN, slice * 1.5);
  draining = lines.length > 0;
  if (draining) setTimeout(drain, 0, document.hidden ? Infinity : BUDGET);
}

function hear(line, unseen) {
  let found;
  if (uncounted) { uncounted = false; if (line !== "BYE") place.number++; }
  if ((found = /^FROM (\S+) \[(all|dm)\]: ([^]*)$/.exec(line))) heard(found[1], found[2] === "dm", found[3], unseen);
  else if ((found = /^User (\S+) (joined\.|left the chat\.)$/.exec(line))) moved(found[1], found[2] === "joined.");
  else if ((found = /^Connected users: (.*)$/.exec(line))) {
    if (!listed) listed = new Map();
    found[1].split(", ").forEach(nick => {
      const known = people.get(keyOf(nick));
      listed.set(keyOf(nick), known || { nick: nick });
    });
  } else if ((found = /^OK welcome (\S+)$/.exec(line))) {
    settle("nick");
    welcome(found[1]);
  } else if ((found = /^History: (\d+)$/.exec(line))) {
    historyLeft = +found[1];
    replay = [];
  } else if ((found = /^Past: (\d+) (\d+) FROM (\S+) \[all\]: ([^]*)$/.exec(line))) {
    if (past.length < MAX_SHOWN) past.push({ number: +found[1], at: +found[2], from: found[3], words: found[4] });
  } else if ((found = /^Now: (\S+) (\d+)(.*)$/.exec(line))) catchUp(found[1], +found[2], found[3].trim().split(" "));
  else if (/^Found: \d+/.test(line)) answerQuestion();
  else if ((found = /^Capabilities:(.*)$/.exec(line))) {
    settle("ask");
    remembers = found[1].split(" ").indexOf("history") > 0;
  } else if ((found = /^Next:(.*)$/.exec(line))) {
    next = found[1].split(" ").map(one => pageAt(one.replace(/^[^@]*@|#.*$/g, ""))).filter(Boolean);
  } else if ((found = /^ERR (\S+)$/.exec(line))) refused(found[1]);
  else if (line === "BYE") ended = !goesOn;
}

// The page of another member's machine, by the address of the chat. A stranger has told it,
// so it must be one of a local network.
function pageAt(address) {
  const found = /^([\d.]+|\[[\da-f:.]+\]):(\d{1,5})$/.exec(address);
  const local = /^(10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01]))\.|^\[(::1\]|f[cd]|fe[89ab])/;
  const port = found ? +found[2] + 80 : 0; // The page is so many above the chat.
  return found && local.test(found[1]) && port < 65536 ? found[1] + ":" + port : "";
}

function heard(from, direct, words, unseen) {
  if (!direct && historyLeft > 0) {
    replay.push([from, words]);
    if (--historyLeft === 0) recall();
    return;
  }
  if (!direct) {
    remember(from, words);
    const way = from === "server" && words.indexOf(ENGLISH.goesOn) === 0 && pageAt(words.slice(ENGLISH.goesOn.length));
    if (way) { goesOn = way; ways = []; }
    if (place && (way || from === "server" && words === ENGLISH.stopping)) uncounted = true;
    else if (place) place.number++;
  }
  if (!direct && from === me) {
    const item = settle("say");
    if (item) { confirm(item); return; }
  }
  if (unseen && !direct && !mentionsMe(words)) { previous = null; return; }
  if (from === "server") hearOfNotices(words);
  else if (untold && !people.has(keyOf(from))) { people.set(keyOf(from), { nick: from }); showPeople(); }
  message(from, from === "server" ? translate(words) : words, { own: from === me && !direct, direct: direct });
}

function hearOfNotices(words) {
  const again = words === ENGLISH.noticesAgain;
  if (again || words === ENGLISH.noticesEnd || words === ENGLISH.noticesOff || othersOf(words)) untold = !again;
  if (again) send("WHO", { kind: "who" });
}

// How many members a list leaves out.
function othersOf(words) {
  const found = /^and ([\d,]+) others?$/.exec(words);
  return found ? +found[1].replace(/,/g, "") : 0;
}

// The fixed lines of the server, in the reader's language.
function translate(words) {
  const fixed = ["stopping", "noticesEnd", "noticesAgain", "noticesOff"].find(key => words === ENGLISH[key]);
  if (fixed) return T[fixed];
  if (othersOf(words)) return T.others(othersOf(words));
  const recorded = /^this room is recorded: what is said to all is kept(?: for (\d+) days?)?$/.exec(words);
  if (recorded) return T.recorded(+recorded[1]);
  const begun = ["removed", "goesOn"].find(key => words.indexOf(ENGLISH[key]) === 0);
  return begun ? T[begun] + words.slice(ENGLISH[begun].length) : words;
}

function remember(from, words) {
  said.push(from + "\n" + words);
  if (said.length > 600) said.splice(0, 100);
}

// An own message has its echo: its place is where everybody has it.
function confirm(item) {
  item.row.classList.remove("waiting");
  if (previous && previous.row === item.row) return;
  const kind = kindOf(me, {});
  item.row.classList.toggle("first", !previous || previous.kind !== kind);
  previous = { kind: kind, at: Date.now(), row: item.row };
  comings = null;
  append(item.row);
}

function moved(nick, came) {
  const key = keyOf(nick), before = people.get(key);
  if (before) before.gone = true;
  if (came) people.set(key, { nick: nick }); else people.delete(key);
  showMove(nick, came);
  showPeople();
  if (!came && home && keyOf(home) === key) { wanted = home; send("NICK " + home, { kind: "nick" }); }
}

function welcome(nick) {
  if (member && nick === me) return;
  people.delete(keyOf(me));
  me = nick;
  people.set(keyOf(me), { nick: me });
  if (keyOf(nick) === keyOf(home)) home = "";
  if (!home) store("nick", nick);
  if (member) { notice(T.youAre(nick)); showPeople(); return; }
  member = true;
  attempts = ghostTries = 0;
  ways = [];
  goesOn = "";
  showState("");
  $("door").hidden = true;
  $("room").hidden = false;
  send("WHO", { kind: "who" });
  ask();
  if (lostAt) {
    if (home) notice(T.youAre(nick));
    if (host !== told) notice(T.moved("http://" + host + "/"));
    gapNotice = notice(T.gap);
    lostAt = 0;
  } else {
    grow();
    text.focus();
  }
  told = host;
  showPeople();
}

// Shows of the history what is not there yet.
function recall() {
  const all = replay.map(one => one[0] + "\n" + one[1]);
  let known = Math.min(said.length, all.length);
  while (known && said.slice(-known).some((one, at) => one !== all[at])) known--;
  if (known && gapNotice) gapNotice.textContent = T.back;
  gapNotice = null;
  log.setAttribute("aria-busy", "true");
  replay.slice(known).forEach(one => {
    remember(one[0], one[1]);
    message(one[0], one[1], { own: keyOf(one[0]) === keyOf(me), past: true, at: one[2] });
  });
  replay = [];
  log.removeAttribute("aria-busy");
}

// Shows what was said before now, and counts from here.
function catchUp(term, number, ends) {
  const lines = past, before = place;
  past = [];
  place = { term: term, number: number };
  if (!before || before.term !== term) {
    // Another host of the room tells where the hosts before it have ended.
    const end = before ? ends.indexOf(before.term) : -1;
    const known = end < 0 ? -1 : Math.min(before.number, +ends[end + 1]);
    if (gapNotice && known >= 0 && number - known <= lines.length) gapNotice.textContent = T.back;
    if (!before && lines.length) notice(T.earlier(lines.length));
    replay = lines.map(one => [one.from, one.words, one.at]);
    recall();
    if (!before && lines.length) notice(T.now);
    return;
  }
  if (gapNotice && number - before.number <= lines.length) gapNotice.textContent = T.back;
  gapNotice = null;
  showPast(lines);
}

function showPast(lines) {
  log.setAttribute("aria-busy", "true");
  lines.forEach(one => {
    remember(one.from, one.words);
    message(one.from, one.from === "server" ? translate(one.words) : one.words,
      { own: keyOf(one.from) === keyOf(me), past: true, at: one.at });
  });
  previous = null;
  log.removeAttribute("aria-busy");
}

// Asks for earlier messages: one question at a time.
function askPast(line, kind) {
  if (!remembers) { notice(T.noHistory); return true; }
  if (question) { notice(T.stillSearching); return false; }
  question = kind;
  socket.send(line + "\n");
  return true;
}

function answerQuestion() {
  const lines = past, kind = question;
  past = [];
  question = null;
  if (kind === "last" && lines.length) page = lines[0].number;
  if (!lines.length) { notice(T.nothingFound); return; }
  notice(T.earlier(lines.length));
  const known = said.slice();
  showPast(lines);
  said.length = 0;
  said.push(...known); // They were said before, and history does not repeat them.
  notice(T.now);
  toEnd();
}

// Whether a refusal answers the question for earlier messages.
function refusesQuestion(code) {
  const other = code === "too_fast" ? "nick" : "say";
  if (!question || ["too_fast", "empty_message", "line_too_long"].indexOf(code) < 0) return false;
  if (unanswered.some(item => item.kind === other)) return false;
  question = null;
  notice(code === "too_fast" ? T.searchTooFast : T.searchLength);
  return true;
}

function refused(code) {
  if (refusesQuestion(code)) return;
  // A server that tells nothing of the past does not know these lines.
  const asked = !member && unanswered.length > 0 && unanswered[0].kind === "ask";
  if (asked && code === "unknown_command") { unanswered.shift(); return; }
  while (unanswered.length && unanswered[0].kind === "ask") unanswered.shift(); // They were taken.
  const why = T[code] || code, item = unanswered.shift() || {};
  if (member) {
    if (item.row) fail(item, why);
    else { if (item.kind === "nick") wanted = me; notice(why); }
  } else if (code === "apelido_em_uso" && lostAt) {
    outlastGhost();
  } else {
    if (code !== "apelido_em_uso" && code !== "invalid_nick") ended = true;
    showDoor(why);
  }
}

// The server has not noticed yet that the old connection is dead, so the nick is taken.
function outlastGhost() {
  const mine = socket, base = home || wanted;
  showState(T.ghost);
  const patient = ++ghostTries <= GHOST_TRIES;
  setTimeout(() => {
    if (mine !== socket) return;
    if (!patient) {
      home = base;
      wanted = Array.from(base).slice(0, MAX_NICK - 2).join("") + (ghostTries - GHOST_TRIES + 1);
    }
    send("NICK " + wanted, { kind: "nick" });
  }, patient ? GHOST_PAUSE : 0);
}

// ---- The connection ----

function connect() {
  clearTimeout(timer);
  const mine = socket = new WebSocket("ws://" + host + "/room");
  member = ended = false;
  unanswered = [];
  lines = [];
  listed = null;
  historyLeft = 0;
  past = [];
  question = null;
  remembers = uncounted = false;
  heardAt = askedAt = Date.now();
  // Some browsers keep a socket that is dead and report nothing even when it is closed.
  const gone = () => { if (mine === socket) lose(); };
  timer = setTimeout(() => { if (mine.readyState !== 1) gone(); }, ways.length > 1 ? BRIEF : PATIENCE);
  mine.onopen = () => {
    if (mine !== socket) { mine.close(); return; }
    send("CAP history heirs", { kind: "ask" });
    if (place) send("SINCE " + place.term + " " + place.number, { kind: "ask" });
    send("NICK " + wanted, { kind: "nick" });
  };
  mine.onerror = gone;
  mine.onclose = () => { if (lines.length) drain(Infinity); gone(); };
  mine.onmessage = event => {
    if (mine !== socket) return;
    heardAt = Date.now();
    receive(event.data);
  };
}

function lose() {
  const before = socket;
  socket = null;
  member = false;
  clearTimeout(timer);
  try { before.close(); } catch (_) {} // It is closed already.
  unanswered.forEach(item => fail(item));
  unanswered = [];
  // Nothing is known of who has which nick when the connection comes back.
  people.forEach(person => { person.gone = true; });
  if (!$("door").hidden) { showDoor($("why").textContent || T.unreachable); return; }
  if (!lostAt) lostAt = Date.now();
  if (ended) { showState(T.ended, true); return; }
  wanted = home || me || wanted;
  ghostTries = 0;
  if (takeWay()) return;
  showState(T.lost);
  timer = setTimeout(connect, Math.min(500 * Math.pow(2, attempts++), 8000) * (0.7 + Math.random() * 0.6));
}

// The machine that had the room is gone, or leaves: it and those that may go on with the room
// are tried in turn. Returns whether there is another one than before.
function takeWay() {
  const first = goesOn || host;
  if (!ways.length) ways = [first].concat(next.filter(way => way !== first));
  if (ways.length === 1 && first === host) return false;
  host = ways.shift();
  ways.push(host);
  const late = ++attempts > TURNS;
  showState(late ? T.elsewhere : T.moving);
  if (late) ways.forEach(way => {
    const link = make("a", "", "http://" + way + "/");
    link.href = link.textContent;
    $("state-text").appendChild(make("i", "", " "));
    $("state-text").appendChild(link);
  });
  timer = setTimeout(connect, attempts > 1 ? TURN * (late ? 8 : 1) : 0);
  return true;
}

// Someone looks at the page again, or the network is back.
function wake() {
  if (document.hidden) return;
  unread = 0;
  showTitle();
  if ($("room").hidden || ended) return;
  if (!socket) connect(); else if (member) ask();
}

setInterval(() => {
  if (!member) return;
  const now = Date.now();
  if (askedAt > heardAt && now - askedAt > PATIENCE) lose();
  else if (now - Math.max(heardAt, askedAt) > SILENCE) ask();
}, 2000);
document.addEventListener("visibilitychange", wake);
addEventListener("online", wake);
addEventListener("pageshow", event => { if (event.persisted) wake(); });
addEventListener("pagehide", () => { if (socket) socket.close(); });
