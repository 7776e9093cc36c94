// The page of lessons. It keeps the guesses, and nothing else: the node plays them each time.

import { byId, make, say, show } from "./dom.js";

const LESSON = "short-selling";
const TAGS = { en: "en", zh: "zh-Hans", ru: "ru" };
const options = byId("options");
const asked = new URLSearchParams(location.search);

let guesses = [];
let turn = 0;

/** What a method of the node's API answers; throws its refusal. */
async function call(method, ...params) {
  const body = JSON.stringify({ id: 1, method: "call", params: ["pegboard", method, params] });
  const headers = { "content-type": "application/json" };
  const response = await fetch("/rpc", { method: "POST", headers, body });
  const told = await response.json();
  if (told.error) throw Object.assign(new Error(told.error.message), { refusal: told.error });
  return told.result;
}

function chosen() {
  const form = new FormData(options);
  return { language: form.get("language"), strict: form.has("strict"), feed: form.has("feed") };
}

function play(taken, since) {
  const { language, strict, feed } = chosen();
  return call("play_lesson", LESSON, language, taken, "", feed ? "feed" : "", strict, since);
}

/** Play the lesson with one guess more, or anew; a guess that is no number changes nothing. */
async function go(taken, isAnswer) {
  const mine = ++turn;
  try {
    const since = isAnswer ? guesses.length : 0;
    const told = await play(taken, since);
    if (mine !== turn) return;
    guesses = taken;
    draw(told, since);
    byId("failed").hidden = true;
    if (isAnswer) say(byId("told"), told.judged.at(-1)?.verdict ?? "");
    if (isAnswer) (told.question ? byId("number") : byId("again")).focus();
  } catch (error) {
    if (mine !== turn) return;
    const isUnreadable = isAnswer && isNoNumber(error.refusal);
    byId("unreadable").hidden = !isUnreadable;
    if (isUnreadable) byId("number").focus();
    else showFailure(error);
  }
}

function isNoNumber(refusal) {
  return refusal?.data?.name === "unreadable_guess";
}

function showFailure(error) {
  show(byId("failed"), `${says.failed ?? "The node did not answer"}: ${error.message}`);
}

let says = {};

function draw(told, since) {
  says = told.says;
  document.documentElement.lang = TAGS[told.language];
  document.title = `pegboard: ${told.title}`;
  say(byId("title"), told.title);
  say(byId("intro"), told.intro);
  for (const element of document.querySelectorAll("[data-says]")) {
    say(element, says[element.dataset.says]);
  }
  say(byId("unreadable"), says.unreadable);
  byId("unreadable").hidden = true;
  const known = [...byId("judged").children].slice(0, since);
  byId("judged").replaceChildren(...known, ...told.judged.map(drawJudged));
  byId("asked").hidden = told.question === null;
  if (told.question) drawQuestion(told.question);
  byId("progress").max = told.count;
  byId("progress").value = guesses.length;
  say(byId("score"), told.score);
}

function titleOf(question) {
  const { number, count, title } = question;
  const parts = { number, count, title };
  return says.step.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
}

function drawQuestion(question) {
  say(byId("asked-title"), titleOf(question));
  for (const part of ["sentence", "story", "question", "unit", "hint"]) {
    say(byId(part), question[part]);
  }
  byId("hinted").open = false;
  byId("number").value = "";
}

function drawJudged(judged) {
  const verdict = make("p", { class: "verdict" }, judged.verdict);
  verdict.dataset.right = judged.guess === null ? "" : judged.is_right;
  if (judged.guess !== null) {
    verdict.append(make("span", { class: "guessed" }, ` (${judged.guess})`));
  }
  const stack = make(
    "div",
    { class: "stack" },
    make("h2", {}, titleOf(judged.question)),
    make("blockquote", {}, judged.question.sentence),
    make("p", {}, judged.question.story),
    make("p", {}, judged.question.question),
    verdict,
    make("p", { class: "num" }, judged.calculation),
    make("p", {}, judged.explain),
    ...judged.rules.map(drawRule),
  );
  return make("li", { class: "card" }, stack);
}

const drawRule = (rule) =>
  make("small", { class: "rule" }, make("code", {}, rule.id), ` ${rule.says}`);

function drawLanguages(lessons) {
  const { languages } = lessons.find((one) => one.name === LESSON);
  const wanted = asked.get("lang") ?? navigator.language.slice(0, 2);
  const first = wanted in languages ? wanted : "en";
  for (const [tag, name] of Object.entries(languages)) {
    const radio = make("input", { type: "radio", name: "language", value: tag });
    radio.checked = tag === first;
    byId("languages").append(make("label", { lang: TAGS[tag] }, radio, name));
  }
}

byId("guess").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("number").value.trim();
  if (text === "?" || text === "？") byId("hinted").open = true;
  else if (text) go([...guesses, text], true);
});
byId("skip").addEventListener("click", () => go([...guesses, ""], true));
byId("again").addEventListener("click", () => go([], false).then(() => byId("number").focus()));
options.addEventListener("change", (event) => {
  const { language, strict, feed } = chosen();
  const query = new URLSearchParams({ lang: language });
  if (strict) query.set("strict", "1");
  if (feed) query.set("feed", "1");
  history.replaceState(null, "", `?${query}`);
  go(event.target.name === "language" ? guesses : [], false);
});

options.elements.strict.checked = asked.has("strict");
options.elements.feed.checked = asked.has("feed");
call("list_lessons").then(drawLanguages).then(() => go([], false)).catch(showFailure);
