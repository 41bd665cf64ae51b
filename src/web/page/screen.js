// What the page shows. What comes from the room is put into it as text, never as markup.

let unread = 0, below = 0; // Messages since the page was last looked at; below what is seen.
let previous = null, comings = null, unreadMark = null, batch = null;

function showTitle() { document.title = (unread ? "(" + unread + ") " : "") + title; }

function showState(words, offersAgain) {
  $("state-text").textContent = words;
  $("state").hidden = !words;
  $("again").hidden = !offersAgain;
}

function showDoor(why) {
  $("room").hidden = true;
  $("door").hidden = false;
  $("why").textContent = why;
  $("enter").disabled = false;
  $("enter").textContent = T.join;
  if (why) $("nick").select();
}

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 60;
function toEnd() {
  log.scrollTop = log.scrollHeight;
  below = 0;
  $("below").hidden = true;
}

function append(row) {
  if (batch) { batch.appendChild(row); return; }
  const following = isAtEnd();
  log.appendChild(row);
  if (following) toEnd();
}

// Shows a batch. The oldest messages go, but not while someone reads further up.
function flush(following) {
  log.appendChild(batch);
  batch = null;
  if (following || log.childNodes.length > 2 * MAX_SHOWN) {
    while (log.childNodes.length > MAX_SHOWN) log.removeChild(log.firstChild);
  }
  if (following) toEnd();
  else if (below) { $("below").textContent = T.below(below); $("below").hidden = false; }
}

function notice(words) {
  const row = make("div", "notice", words);
  previous = comings = null;
  append(row);
  return row;
}

// Comings and goings of a minute share one line.
function showMove(nick, came) {
  const now = Date.now();
  if (!comings || now - comings.at > 60000 || comings.came.length + comings.went.length > 200) {
    comings = { row: make("div", "notice"), came: [], went: [] };
    previous = null;
    append(comings.row);
  }
  comings.at = now;
  // A nick that left and came can have a new owner, so it stands in both lists.
  const at = comings.came.indexOf(nick);
  if (!came && at >= 0) comings.came.splice(at, 1);
  const list = came ? comings.came : comings.went;
  if (list.indexOf(nick) < 0) list.push(nick);
  const names = all => all.slice(0, 5).map(isolated).join(", ") + (all.length > 5 ? T.more(all.length - 5) : "");
  const parts = [];
  if (comings.went.length) parts.push("− " + names(comings.went) + " " + T.left);
  if (comings.came.length) parts.push("+ " + names(comings.came) + " " + T.joined);
  comings.row.textContent = parts.join(" · ");
}

function colourOf(nick) {
  let hash = 0x811c9dc5;
  for (const c of keyOf(nick)) hash = Math.imul(hash ^ c.codePointAt(0), 0x01000193);
  return "n" + (hash >>> 0) % 10;
}

// Browsers without classes of Unicode in expressions get simpler ones.
function expression(source, simple) { try { return new RegExp(source, "u"); } catch (_) { return simple; } }
const wordCharacter = expression("[\\p{L}\\p{N}\\p{M}_]", /[^\s,.:;!?()@"'<>\/-]/);
const spaceless = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]/;
const onlyEmoji = expression("^(?:[\\p{Extended_Pictographic}\\u200d\\ufe0f\\u{1f3fb}-\\u{1f3ff}]){1,12}$", /^$/);

// A nick counts where it stands as a word. Some scripts have no blanks between words.
function mentionsMe(words) {
  const all = keyOf(words), nick = keyOf(me);
  for (let at = all.indexOf(nick); nick && at >= 0; at = all.indexOf(nick, at + 1)) {
    const before = all.charAt(at - 1), after = all.charAt(at + nick.length);
    const apart = (outer, inner) => !wordCharacter.test(outer) || spaceless.test(outer) || spaceless.test(inner);
    if (apart(before, nick.charAt(0)) && apart(after, nick.charAt(nick.length - 1))) return true;
  }
  return false;
}

let minute = 0, clock = "";
function time() {
  const now = Math.floor(Date.now() / 60000);
  if (now !== minute) { minute = now; clock = new Date().toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }); }
  return clock;
}

// When something was said, with the day if that is another one.
function timeOf(seconds) {
  const then = new Date(seconds * 1000), today = then.toDateString() === new Date().toDateString();
  const hour = then.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  return today ? hour : then.toLocaleDateString() + " " + hour;
}

const kindOf = (from, how) => from + (how.person ? " to " + how.person.nick : how.direct ? " private" : "");

// how: own, direct (private, to us), person (private, from us), waiting, past (history), at (when).
function message(from, words, how) {
  const action = /^\/me\s+([^]+)/.exec(words), server = from === "server", now = Date.now();
  const called = !how.own && !server && (how.direct || mentionsMe(words));
  const kind = kindOf(from, how);
  const first = !previous || previous.kind !== kind || now - previous.at > 180000;
  const row = make("div", "message");
  const marks = { own: how.own, first: first, private: how.direct || how.person, mention: called && !how.direct,
    action: action, waiting: how.waiting, big: onlyEmoji.test(words), fresh: !how.past && lines.length < CALM };
  Object.keys(marks).forEach(mark => { if (marks[mark]) row.classList.add(mark); });
  if (first && how.person) row.appendChild(make("span", "tag", "🔒 " + T.onlyTo(how.person.nick)));
  if (first && !how.own) {
    const author = make(server ? "span" : "button", "author " + (server ? "dim" : colourOf(from)), from);
    if (!server) { author.type = "button"; author.dataset.to = from; author.title = T.sayTo(from); }
    if (how.direct) author.appendChild(make("span", "tag", " · 🔒 " + T.onlyToYou));
    row.appendChild(author);
  }
  const bubble = make("div", "bubble");
  bubble.dir = "auto";
  appendLinked(bubble, action ? from + " " + action[1] : words);
  if (how.at) bubble.appendChild(make("time", "", timeOf(how.at)));
  else if (!how.past && (first || previous.time !== time())) bubble.appendChild(make("time", "", time()));
  row.appendChild(bubble);
  if (!how.own && !how.past) count();
  append(row);
  previous = { kind: kind, at: now, row: row, time: time() };
  comings = null;
  if (called && !how.past) ring();
  return row;
}

function count() {
  below++;
  if (!document.hidden) return;
  if (!unreadMark) { unreadMark = make("div", "unread", T.unread); append(unreadMark); }
  unread++;
  showTitle();
}

// A text with its web addresses as links.
function appendLinked(element, words) {
  const address = /https?:\/\/[^\s<>"]+/gi;
  let from = 0, found;
  while ((found = address.exec(words))) {
    const url = found[0].replace(/[).,;:!?\]'»”]+$/, "");
    const link = make("a", "", url);
    link.href = url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    element.append(words.slice(from, found.index), link);
    from = found.index + url.length;
  }
  element.append(words.slice(from));
}

let peopleTimer = 0;
const byAlphabet = new Intl.Collator();
function showPeople() { if (!peopleTimer) peopleTimer = setTimeout(paintPeople, people.size > 100 ? 500 : 0); }
function paintPeople() {
  peopleTimer = 0;
  $("count").textContent = people.size;
  $("people-button").setAttribute("aria-label", people.size + " " + T.people);
  $("to").classList.toggle("dim", !!target && !!target.gone);
  if (!$("people").offsetParent) return; // The list is not open.
  const mine = keyOf(me), all = Array.from(people.values());
  all.sort((a, b) => (keyOf(b.nick) === mine) - (keyOf(a.nick) === mine) || byAlphabet.compare(a.nick, b.nick));
  const list = document.createDocumentFragment();
  all.slice(0, 500).forEach(person => {
    const li = make("li"), row = make("button"), nick = person.nick;
    row.type = "button";
    row.append(make("i", colourOf(nick), Array.from(nick)[0].toUpperCase()), make("b", "", nick));
    if (keyOf(nick) === mine) { row.append(make("small", "", T.you)); row.disabled = true; }
    else { row.dataset.to = nick; row.title = T.sayTo(nick); }
    li.appendChild(row);
    list.appendChild(li);
  });
  if (all.length > 500) list.appendChild(make("li", "rest", T.more(all.length - 500)));
  const at = document.activeElement, held = at && $("list").contains(at) ? at.dataset.to : null;
  $("list").textContent = "";
  $("list").appendChild(list);
  if (held) Array.from($("list").querySelectorAll("button")).some(row => row.dataset.to === held && (row.focus(), true));
}

function openPeople(open) {
  const shown = $("people").classList.toggle("open", open);
  $("people-button").setAttribute("aria-expanded", String(shown));
  if (shown) paintPeople();
}

// From now on, the field writes to this person alone; or to everyone.
function aim(person) {
  target = person;
  $("to").hidden = !person;
  $("to").classList.remove("dim");
  $("to-text").textContent = person ? "🔒 " + T.onlyTo(person.nick) : "";
  $("say").classList.toggle("secret", !!person);
  text.placeholder = person ? T.sayTo(person.nick) : T.sayToAll;
  openPeople(false);
  text.focus();
}

function ring() {
  if (!sound || Date.now() - rangAt < RING_PAUSE) return;
  rangAt = Date.now();
  try {
    if (navigator.vibrate) navigator.vibrate(40);
    if (!audio) return;
    const now = audio.currentTime, tone = audio.createOscillator(), gain = audio.createGain();
    tone.frequency.setValueAtTime(660, now);
    tone.frequency.setValueAtTime(880, now + 0.09);
    gain.gain.setValueAtTime(0.08, now);
    gain.gain.exponentialRampToValueAtTime(0.0001, now + 0.3);
    tone.connect(gain);
    gain.connect(audio.destination);
    tone.start(now);
    tone.stop(now + 0.3);
  } catch (_) {} // The device has no sound.
}
