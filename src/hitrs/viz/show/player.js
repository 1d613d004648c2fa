"use strict";
/* Recordings that are drawn and played, on any page that has the elements of player.html. In this order:
   decoding, the camera, drawing, a card for each, the clock, keys, start. Further keys and what else a page
   does stand in its own script behind this one. All text of data becomes text nodes, never HTML. */

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const PITCH = 0.21;          // radians that the camera looks down, at first
const PALER = [1, 0.55, 0.38]; // the first person in full color, the others paler
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];
const BARS = 8;              // classes that are named with their probability

/* An element with properties and children; a string is text. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const counted = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
const percent = (share) => `${Math.round(100 * share)}%`;

/* ---- Decoding. Frames below are those that are drawn: every `step`-th of the recording. ---- */

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

/* A drawing with its arrays: positions [frame, person, joint, coordinate] in 16 bits, little-endian as all
   browsers' machines are, and for each joint the frame in which it was seen last. */
function decode(drawing) {
  const joints = drawing.joints.length;
  const bits = bytes(drawing.valid);
  const valid = (index) => (bits[index >> 3] >> (index & 7)) & 1;
  const stride = drawing.persons * joints;
  const last = new Int32Array(drawing.drawn * stride).fill(-1);
  for (let slot = 0; slot < stride; slot++) {
    let seen = -1;
    for (let frame = 0; frame < drawing.drawn; frame++) {
      const index = frame * stride + slot;
      if (valid(index)) {
        if (seen < 0) for (let before = 0; before < frame; before++) last[before * stride + slot] = frame;
        seen = frame;
      }
      if (seen >= 0) last[index] = seen;
    }
  }
  const probabilities = drawing.probabilities && { ...drawing.probabilities, values: bytes(drawing.probabilities.values) };
  return {
    ...drawing, valid, last, stride, probabilities,
    values: new Int16Array(bytes(drawing.positions).buffer),
    seen: bytes(drawing.seen),
  };
}

function position(figure, frame, person, joint) {
  const start = (frame * figure.stride + person * figure.joints.length + joint) * figure.dims;
  return figure.origin.map((origin, axis) => origin + figure.quantum * figure.values[start + axis]);
}

const isPredicted = (figure, person) => person >= figure.recorded;

/* The frame in which to look for a joint: this one, or the one in which it was seen last; -1: never. */
function lastSeen(figure, frame, person, joint) {
  return figure.last[frame * figure.stride + person * figure.joints.length + joint];
}

function personSeen(figure, frame, person) {
  return figure.joints.some((_, joint) => lastSeen(figure, frame, person, joint) === frame);
}

/* ---- The camera: positions to pixels. ---- */

const turn = { yaw: 0, pitch: 0 }; // how all recordings are turned

/* A function from a position to [right, down, nearness] in pixels, and half the height of the scene in them. */
function camera(figure, width, height) {
  const { center, radius, height: half } = figure.view;
  if (figure.dims === 2) {
    const scale = 0.42 * Math.min(width / (radius || 1), height / (half || 1));
    return [([x, y]) => [width / 2 + scale * (x - center[0]), height / 2 + scale * (y - center[1]), 0], scale * half];
  }
  const yaw = figure.view.yaw + turn.yaw, pitch = PITCH + turn.pitch;
  const [cos, sin, cosUp, sinUp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const around = Math.max(radius, 0.4 * half) || 1;
  const scale = 0.42 * Math.min(width / around, height / (half * cosUp + around * Math.abs(sinUp)));
  const project = (point) => {
    const [x, y, z] = point.map((value, axis) => value - center[axis]);
    const right = cos * x + sin * z, ahead = cos * z - sin * x;
    const up = cosUp * y - sinUp * ahead, near = cosUp * ahead + sinUp * y;
    const zoom = scale / Math.max(1 - near / figure.view.distance, 0.1);
    return [width / 2 + zoom * right, height / 2 - zoom * up, near];
  };
  return [project, scale * half];
}

/* ---- Drawing. ---- */

let colors = {};
const dark = matchMedia("(prefers-color-scheme: dark)");

function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "line", "tint", "left", "right", "middle", "predicted", "floor"]) {
    colors[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

/* The color of a class, the same in all recordings; the angle is the golden one, which repeats nothing. */
function tone(label) {
  const place = data.classes.indexOf(label);
  return place < 0 ? colors.soft : `oklch(${dark.matches ? 0.74 : 0.58} 0.13 ${(250 + 137.5 * place) % 360})`;
}

function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return [pen, width, height];
}

function drawScene(canvas, figure, frame) {
  const [pen, width, height] = fitted(canvas);
  if (!figure.view) return;
  const [project, half] = camera(figure, width, height);
  pen.lineCap = "round";
  pen.strokeStyle = colors.floor;
  for (const line of figure.view.floor) {
    const [from, to] = [project(line.slice(0, 3)), project(line.slice(3))];
    pen.beginPath();
    pen.moveTo(from[0], from[1]);
    pen.lineTo(to[0], to[1]);
    pen.stroke();
  }
  const thick = Math.max(1.5, Math.min(width / 75, height / 75, half / 16)); // thin where people are small
  const strokes = [];
  for (let person = 0; person < figure.persons; person++) {
    if (personSeen(figure, frame, person)) addPerson(strokes, figure, frame, person, project, thick);
  }
  strokes.sort((one, other) => one.near - other.near); // the farthest first
  for (const stroke of strokes) stroke.draw(pen);
}

/* What is not seen is drawn where it was seen last: hollow joints, thin broken bones. */
function addPerson(strokes, figure, frame, person, project, thick) {
  const side = (joint) => isPredicted(figure, person) ? colors.predicted
    : [colors.middle, colors.left, colors.right][figure.sides[joint]];
  const truth = figure.start !== null && !isPredicted(figure, person) && frame * figure.step >= figure.start;
  const place = isPredicted(figure, person) ? person - figure.recorded : person;
  const alpha = PALER[Math.min(place, 2)] * (truth ? 0.45 : 1);
  const points = figure.joints.map((_, joint) => {
    const seen = lastSeen(figure, frame, person, joint);
    return seen < 0 ? null : { at: project(position(figure, seen, person, joint)), missing: seen !== frame };
  });
  for (const [child, parent] of figure.bones) {
    const [from, to] = [points[child], points[parent]];
    if (!from || !to) continue;
    const missing = from.missing || to.missing;
    strokes.push({ near: (from.at[2] + to.at[2]) / 2, draw(pen) {
      pen.globalAlpha = missing ? 0.5 * alpha : alpha;
      pen.strokeStyle = side(child);
      pen.lineWidth = missing ? 1 : thick;
      pen.setLineDash(missing ? [3, 4] : []);
      pen.beginPath();
      pen.moveTo(from.at[0], from.at[1]);
      pen.lineTo(to.at[0], to.at[1]);
      pen.stroke();
    } });
  }
  points.forEach((point, joint) => {
    if (!point) return;
    const size = thick * (figure.joints[joint] === "head" && !point.missing ? 1.7 : 0.75);
    strokes.push({ near: point.at[2] + 1e-6, draw(pen) {
      pen.globalAlpha = point.missing ? 0.7 * alpha : alpha;
      pen.setLineDash([]);
      pen.beginPath();
      pen.arc(point.at[0], point.at[1], size, 0, 2 * Math.PI);
      pen.lineWidth = 1.5;
      if (point.missing) {
        pen.strokeStyle = side(joint);
        pen.stroke();
      } else {
        pen.fillStyle = side(joint);
        pen.fill();
      }
    } });
  });
}

/* Each pixel of a strip with the frames that stand there, from `first` to before `end`. */
function* columns(figure, width) {
  for (let left = 0; left < width; left++) {
    const first = Math.floor((left * figure.drawn) / width);
    yield [left, first, Math.max(first + 1, Math.ceil(((left + 1) * figure.drawn) / width))];
  }
}

/* A row for each person: full where all joints are seen, empty where none is, be it in one frame. */
function drawSeen(canvas, figure) {
  const [pen, width, height] = fitted(canvas);
  const row = height / figure.recorded;
  pen.fillStyle = colors.soft;
  for (let person = 0; person < figure.recorded; person++) {
    const seen = figure.seen.subarray(person * figure.drawn, (person + 1) * figure.drawn);
    for (const [left, first, end] of columns(figure, width)) {
      const share = Math.min(...seen.subarray(first, end)) / 255;
      pen.globalAlpha = share && 0.25 + 0.75 * share ** 2;
      pen.fillRect(left, person * row, 1, row - 1);
    }
  }
}

/* The most probable class of each frame, as high as it is probable. */
function drawProbabilities(canvas, figure) {
  const [pen, width, height] = fitted(canvas);
  const { labels, values } = figure.probabilities;
  for (const [left, frame] of columns(figure, width)) {
    const row = values.subarray(frame * labels.length, (frame + 1) * labels.length);
    const best = row.indexOf(Math.max(...row)), high = (row[best] / 255) * height;
    pen.fillStyle = data.classes.includes(labels[best]) ? tone(labels[best]) : colors.line;
    pen.fillRect(left, height - high, 1, high);
  }
}

/* ---- A card: a recording with its timeline and what is said of it. ---- */

const stage = byId("stage");
let cards = [];

function makeCard(drawing) {
  const figure = decode(drawing);
  const scene = element("canvas", { className: "scene", role: "img", "aria-label": `Skeletons of ${figure.name}` });
  const remove = element("button", { type: "button", "aria-label": `Remove ${figure.name}` }, "×");
  const unseen = element("p", { className: "unseen" });
  const bars = element("ul", { className: "bars" });
  const card = { figure, scene, remove, unseen, bars, heads: [], paints: [], frame: 0, node: null };
  card.node = element("article", { className: "card", "aria-label": figure.name },
    element("header", {}, element("h2", {}, figure.name), remove), verdict(figure), scene, unseen,
    legend(figure), timeline(card), bars, facts(figure));
  remove.onclick = () => { removeCard(card); };
  dragTurns(scene);
  return card;
}

function verdict(figure) {
  if (figure.refused) return element("p", { className: "said wrong" }, `The model cannot use it: ${figure.refused}`);
  const label = figure.facts.find(([what]) => what === "class");
  if (!figure.view) return element("p", { className: "said" }, "Nobody is seen in any frame.");
  if (!figure.said) return element("p", { className: "said" }, label ? label[1] : "");
  const truth = label && figure.right !== null ? `, truth: ${label[1]}` : "";
  const mark = figure.right === null ? "" : figure.right ? "right: " : "wrong: ";
  return element("p", { className: figure.right === false ? "said wrong" : "said" },
    mark, element("strong", {}, figure.said), truth);
}

function legend(figure) {
  const list = element("ul", { className: "legend" });
  const add = (text, color, hollow) => {
    const dot = element("i", { className: hollow ? "hollow" : "" });
    if (color) dot.style.background = `var(--${color})`;
    list.append(element("li", {}, dot, text));
  };
  if (figure.sides.some(Boolean)) {
    add("left", "left");
    add("right", "right");
  }
  if (figure.start !== null) {
    add("predicted", "predicted");
    if (figure.frames > figure.start) add("pale: the truth", "middle");
  }
  add("hollow: not seen", "", true);
  return list;
}

function timeline(card) {
  const { figure } = card;
  const node = element("div", { className: "timeline" });
  const lane = (title, className, ...children) => {
    const head = element("i", { className: "head" });
    const track = element("div", { className: `track ${className}` }, ...children, head);
    track.onpointerdown = (event) => {
      if (event.target.closest("button")) return;
      const box = track.getBoundingClientRect();
      seekTo(figure, Math.floor(((event.clientX - box.left) / box.width) * figure.frames));
    };
    card.heads.push(head);
    node.append(element("div", { className: "lane" }, element("span", {}, title), track));
  };
  for (const { title, spans } of figure.lanes) lane(title, "", ...spans.map((span) => spanButton(figure, title, span)));
  if (figure.probabilities) lane("probability", "", painted(card, drawProbabilities, "Most probable class of each frame"));
  lane("seen", "thin", painted(card, drawSeen, `Joints that are seen: ${seenInWords(figure)}`));
  return node;
}

function painted(card, draw, label) {
  const canvas = element("canvas", { role: "img", "aria-label": label });
  card.paints.push(() => draw(canvas, card.figure));
  return canvas;
}

function seenInWords(figure) {
  const gaps = [];
  for (let person = 0; person < figure.recorded; person++) {
    let none = 0;
    for (let frame = 0; frame < figure.drawn; frame++) none += figure.seen[person * figure.drawn + frame] === 0;
    if (none) gaps.push(`person ${person + 1} is not seen at all in ${percent(none / figure.drawn)} of the frames`);
  }
  return gaps.join(", ") || "somebody in every frame";
}

function spanButton(figure, title, [start, stop, label, score]) {
  const certain = score === undefined ? "" : `, ${percent(score)}`;
  const text = `${title}: ${label}${certain}, frames ${start} to ${stop - 1}`;
  const button = element("button", { type: "button", className: "span", title: text, "aria-label": text }, label);
  button.style.left = `${(100 * start) / figure.frames}%`;
  button.style.width = `${(100 * (stop - start)) / figure.frames}%`;
  button.style.setProperty("--tone", title === "model" ? `var(--${label === "predicted" ? label : "soft"})` : tone(label));
  button.onclick = () => seekTo(figure, Math.ceil(start / figure.step) * figure.step);
  return button;
}

function facts(figure) {
  const known = element("dl", {}, ...figure.facts.flatMap(([what, value]) => [element("dt", {}, what), element("dd", {}, value)]));
  const never = figure.joints.filter((_, joint) => !anyPerson(figure, (person) => lastSeen(figure, 0, person, joint) >= 0));
  if (never.length) known.append(element("dt", {}, "never seen"), element("dd", {}, never.join(", ")));
  const details = element("details", {}, element("summary", {}, "About it"), known);
  if (figure.notes.length) {
    details.open = true; // what was left out or changed is not hidden
    details.append(element("ul", { className: "notes" }, ...figure.notes.map((note) => element("li", {}, note))));
  }
  return details;
}

function anyPerson(figure, holds) {
  for (let person = 0; person < figure.recorded; person++) if (holds(person)) return true;
  return false;
}

/* A probability as a line of a list. */
function bar(label, probability, isTrue = false) {
  const filled = element("i");
  filled.style.width = percent(probability);
  return element("li", { className: isTrue ? "true" : "", title: label }, element("span", {}, label),
    element("span", { className: "bar" }, filled), element("span", {}, percent(probability)));
}

/* Probabilities as bars: of the recording, or of the frame that is shown. */
function showBars(card) {
  const { figure, bars } = card;
  let scores = figure.scores;
  if (figure.probabilities) {
    const { labels, values } = figure.probabilities;
    scores = labels.map((label, place) => [label, values[card.frame * labels.length + place] / 255]);
    scores.sort((one, other) => other[1] - one[1]);
    scores = scores.slice(0, 3);
  } else if (bars.childElementCount) return;
  const truth = new Set(figure.facts.filter(([what]) => what === "class").map(([, label]) => label));
  bars.replaceChildren(...scores.slice(0, BARS).map(([label, probability]) => bar(label, probability, truth.has(label))));
  const rest = scores.length - BARS;
  if (rest > 0) bars.append(element("li", {}, element("span", {}, `and ${rest} less probable`)));
}

function showFrame(card) {
  const { figure, frame } = card;
  drawScene(card.scene, figure, frame);
  const middle = `${(100 * Math.min(frame * figure.step + 0.5, figure.frames)) / figure.frames}%`;
  for (const head of card.heads) head.style.left = middle;
  const absent = [];
  for (let person = 0; person < figure.recorded; person++) if (!personSeen(figure, frame, person)) absent.push(person + 1);
  const nobody = absent.length === figure.recorded;
  const future = figure.start !== null && frame * figure.step >= figure.start;
  card.unseen.textContent = !absent.length ? ""
    : !nobody ? `Not seen in this frame: person ${absent.join(", ")}.`
    : future ? "Nobody was recorded in this frame." : "Nobody is seen in this frame.";
  showBars(card);
}

function dragTurns(canvas) {
  let from = null;
  canvas.onpointerdown = (event) => {
    from = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!from) return;
    turnBy((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 120);
    from = [event.clientX, event.clientY];
  };
  canvas.onpointerup = canvas.onpointercancel = () => { from = null; };
}

function turnBy(yaw, pitch) {
  turn.yaw += yaw;
  turn.pitch = Math.max(-0.4, Math.min(1.3, turn.pitch + pitch));
  update();
}

/* Show a recording, in place of those that are shown or beside them. */
function showCard(drawing, beside = false) {
  if (!beside) {
    cards = [];
    clock.time = 0;
  }
  cards.push(makeCard(drawing));
  stage.replaceChildren(...cards.map(({ node }) => node));
  cardsChanged();
}

function showNoCard(why) {
  cards = [];
  stage.replaceChildren(element("p", { className: "wrong", role: "alert" }, `Not shown: ${why}`));
  cardsChanged();
}

/* Draw all anew, and let the page know ("cards"). */
function cardsChanged() {
  repaint();
  stage.dispatchEvent(new Event("cards"));
}

function removeCard(card) {
  cards = cards.filter((other) => other !== card);
  card.node.remove();
  cardsChanged();
  byId("play").focus();
}

/* ---- The clock: one time for all recordings, in seconds. ---- */

const clock = { time: 0, playing: false, speed: 1, before: 0 };
const seek = byId("seek"), speed = byId("speed"), play = byId("play");
const length = (figure) => figure.frames / figure.rate;
const frameAt = (figure, time) => Math.max(0, Math.min(figure.drawn - 1, Math.floor((time * figure.rate) / figure.step + 1e-6)));

/* The longest recording, whose frames are counted. */
function lead() {
  return cards.reduce((longest, { figure }) => (!longest || length(figure) > length(longest) ? figure : longest), null);
}

function seekTo(figure, frame) {
  clock.time = Math.max(0, Math.min(frame, figure.frames - 1)) / figure.rate;
  update();
}

function stepFrames(count) {
  const figure = lead();
  if (!figure) return;
  setPlaying(false);
  seekTo(figure, Math.max(0, Math.min(figure.drawn - 1, frameAt(figure, clock.time) + count)) * figure.step);
}

function setPlaying(playing) {
  const figure = lead();
  if (playing && figure && frameAt(figure, clock.time) === figure.drawn - 1) clock.time = 0;
  clock.playing = playing && Boolean(figure);
  clock.before = performance.now();
  play.textContent = clock.playing ? "Pause" : "Play";
  if (clock.playing) requestAnimationFrame(tick);
}

function tick(now) {
  const figure = lead();
  if (!clock.playing || !figure) return;
  clock.time += ((now - clock.before) / 1000) * clock.speed;
  clock.before = now;
  if (clock.time >= length(figure)) {
    if (byId("repeat").checked) clock.time %= length(figure);
    else {
      clock.time = ((figure.drawn - 1) * figure.step) / figure.rate;
      setPlaying(false);
    }
  }
  update();
  if (clock.playing) requestAnimationFrame(tick);
}

function changeSpeed(by) {
  const place = Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(clock.speed) + by));
  clock.speed = SPEEDS[place];
  speed.value = String(clock.speed);
}

/* Show the moment of the clock everywhere. */
function update() {
  for (const card of cards) {
    card.frame = frameAt(card.figure, clock.time);
    showFrame(card);
  }
  stage.dispatchEvent(new Event("update"));
  const figure = lead();
  byId("transport").hidden = byId("help").hidden = !figure;
  if (!figure) return;
  const drawn = frameAt(figure, clock.time), frame = drawn * figure.step;
  const seconds = figure.fps ? `${(frame / figure.fps).toFixed(2)} s, ` : "";
  const moment = `${seconds}frame ${frame.toLocaleString("en")} of ${figure.frames.toLocaleString("en")}`;
  seek.max = figure.drawn - 1;
  seek.value = drawn;
  seek.setAttribute("aria-valuetext", moment);
  byId("moment").textContent = moment;
}

function repaint() {
  readColors();
  for (const card of cards) for (const paint of card.paints) paint();
  update();
}

/* ---- Keys. ---- */

const KEYS = {
  " ": () => setPlaying(!clock.playing),
  ArrowLeft: (event) => (event.shiftKey ? turnBy(-0.15, 0) : stepFrames(-1)),
  ArrowRight: (event) => (event.shiftKey ? turnBy(0.15, 0) : stepFrames(1)),
  ArrowUp: (event) => event.shiftKey && turnBy(0, 0.1),
  ArrowDown: (event) => event.shiftKey && turnBy(0, -0.1),
  Home: () => stepFrames(-Infinity),
  End: () => stepFrames(Infinity),
  "+": () => changeSpeed(1),
  "=": () => changeSpeed(1), // the same key without Shift
  "-": () => changeSpeed(-1),
  "0": () => { turn.yaw = turn.pitch = 0; update(); },
};

document.addEventListener("keydown", (event) => {
  const inside = event.target.closest("input:not([type=range]), select, textarea, summary, button");
  const act = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  if (inside && !(inside.matches("button, summary") && event.key !== " ")) return; // they have these keys themselves
  if (event.key.startsWith("Arrow") && !event.shiftKey && event.key.match(/Up|Down/)) return;
  event.preventDefault();
  act(event);
});

/* ---- Start. ---- */

for (const value of SPEEDS) speed.append(element("option", { value: String(value) }, `${value}×`));
speed.value = "1";
speed.onchange = () => { clock.speed = Number(speed.value); };
play.onclick = () => setPlaying(!clock.playing);
byId("back").onclick = () => stepFrames(-1);
byId("forth").onclick = () => stepFrames(1);
seek.oninput = () => {
  setPlaying(false);
  seekTo(lead(), Number(seek.value) * lead().step);
};
dark.addEventListener("change", () => repaint());
new ResizeObserver(() => repaint()).observe(stage);
