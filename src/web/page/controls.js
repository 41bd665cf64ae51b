// What fingers and keys do, and how the page starts.

function grow() {
  text.style.height = "auto";
  text.style.height = Math.min(text.scrollHeight + 3, innerHeight * 0.34) + "px";
}

const others = begun => Array.from(people.values())
  .filter(person => keyOf(person.nick) !== keyOf(me) && keyOf(person.nick).indexOf(keyOf(begun)) === 0);

// Offers the nicks that begin with what stands behind an at sign.
function offerNames() {
  const begun = /^\s*[@＠](\S*)$/.exec(text.value), hints = $("hints");
  hints.textContent = "";
  if (begun) {
    others(begun[1]).slice(0, 12).forEach(person => {
      const name = make("button", colourOf(person.nick), person.nick);
      name.type = "button";
      name.onclick = () => { text.value = ""; offerNames(); aim(person); };
      hints.appendChild(name);
    });
  }
  hints.hidden = !hints.firstChild;
}

function complete() {
  const upTo = text.value.slice(0, text.selectionStart), begun = /[^\s@]+$/.exec(upTo);
  const person = begun && others(begun[0])[0];
  if (!person) return false;
  const start = upTo.slice(0, begun.index) + person.nick + " ";
  text.value = start + text.value.slice(upTo.length);
  text.setSelectionRange(start.length, start.length);
  return true;
}

function showCard(show) {
  if (show) { $("card").hidden = false; $("card-close").focus(); }
  // What is behind a dialog is not read out.
  $("room").setAttribute("aria-hidden", String(show));
  $("room").inert = show;
  if (!show) { $("invite").focus(); $("card").hidden = true; }
}

function start() {
  document.documentElement.lang = portuguese ? "pt-BR" : "en";
  document.querySelectorAll("[data-text]").forEach(element => { element.textContent = T[element.dataset.text]; });
  document.querySelectorAll("[data-label]").forEach(element => {
    element.setAttribute("aria-label", T[element.dataset.label]);
    if (element.tagName === "BUTTON") element.title = T[element.dataset.label];
  });
  text.placeholder = T.sayToAll;
  $("nick").value = stored("nick") || "";
  $("bell").setAttribute("aria-pressed", String(sound));
  showDoor("");
  fetch("/about").then(answer => answer.json()).then(about => {
    title = about.title || title;
    $("door-title").textContent = $("title").textContent = title;
    $("door-people").textContent = about.people ? T.peopleHere(about.people) : T.nobodyHere;
    const local = /^(localhost|127\.|\[::1\])/.test(location.hostname);
    $("url").textContent = local && about.url ? about.url : "http://" + location.host + "/";
    showTitle();
  }).catch(() => { $("why").textContent = T.unreachable; });
  if (!stored("nick")) $("nick").focus();
}

$("join").addEventListener("submit", event => {
  event.preventDefault();
  wanted = nickFrom($("nick").value);
  if (!wanted) return;
  $("why").textContent = "";
  $("enter").disabled = true;
  $("enter").textContent = T.joining;
  // Browsers allow sound only after a touch, and this is one.
  try { audio = audio || new (window.AudioContext || window.webkitAudioContext)(); audio.resume(); } catch (_) { audio = null; }
  if (socket && socket.readyState === 1) send("NICK " + wanted, { kind: "nick" }); else connect();
});
$("say").addEventListener("submit", event => { event.preventDefault(); submit(); text.focus(); });
text.addEventListener("keydown", event => {
  if (event.isComposing || event.keyCode === 229) return; // The key belongs to an input method.
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); submit(); }
  else if (event.key === "Escape") aim(null);
  else if (event.key === "Tab" && !event.shiftKey && complete()) event.preventDefault();
});
text.addEventListener("input", () => {
  const named = /^\s*[@＠](\S+)\s$/.exec(text.value), person = named && people.get(keyOf(named[1]));
  if (person) { text.value = ""; aim(person); }
  grow();
  offerNames();
});
function choose(event) {
  const row = event.target.closest("[data-to]"), person = row && people.get(keyOf(row.dataset.to));
  if (person) aim(person); else if (row) notice(T.notHere(row.dataset.to));
}
log.addEventListener("click", choose);
$("list").addEventListener("click", choose);
$("to-all").onclick = () => aim(null);
$("below").onclick = toEnd;
$("people-button").onclick = () => openPeople();
$("again").onclick = () => { wanted = me; showState(T.joining); connect(); };
$("bell").onclick = () => {
  sound = !sound;
  store("sound", sound ? "on" : "off");
  $("bell").setAttribute("aria-pressed", String(sound));
  notice(sound ? T.soundOn : T.soundOff);
  ring();
};
$("search").onclick = () => {
  text.value = "/search ";
  grow();
  offerNames();
  text.focus();
};
$("invite").onclick = () => {
  // The code is on the machine that served the page.
  $("code").hidden = host !== location.host;
  if ($("code").hidden) $("url").textContent = "http://" + host + "/";
  else $("code").src = "/code.svg";
  showCard(true);
};
$("card-close").onclick = () => showCard(false);
$("card").onclick = event => { if (event.target === $("card")) showCard(false); };
document.addEventListener("keydown", event => {
  const inCard = !$("card").hidden, inPeople = $("people").contains(document.activeElement);
  // The dialog has one button, so the focus stays there.
  if (event.key === "Tab" && inCard) { event.preventDefault(); $("card-close").focus(); }
  if (event.key !== "Escape") return;
  if (inCard) { showCard(false); return; }
  if (inPeople) $("people-button").focus();
  openPeople(false);
});
log.addEventListener("scroll", () => { if (isAtEnd()) { below = 0; $("below").hidden = true; } });

// A keyboard on the screen takes its place from the page.
function fit() {
  const following = isAtEnd(), viewport = window.visualViewport;
  // Zooming in with two fingers shows less of the page, which stays as large.
  const height = viewport ? Math.round(viewport.height * viewport.scale) : innerHeight;
  document.documentElement.style.setProperty("--height", height + "px");
  scrollTo(0, 0);
  if (following) log.scrollTop = log.scrollHeight;
  showPeople();
}
if (window.visualViewport) visualViewport.addEventListener("resize", fit);
addEventListener("resize", fit);
fit();
start();
