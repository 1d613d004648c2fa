/* What a model says of somebody while it happens. In this order: the connection, what is drawn and told,
   sources of frames, moments that are kept, whole recordings, start. */

const SECONDS = 30;          // of the strip
const SIDE = 480;            // pixels of a picture that is sent
const IN_FLIGHT = 2, AT_ONCE = 6; // pictures, and frames of a recording, that are not answered yet
const MOST_EVENTS = 20, MOST_SCORES = 3;
const NOTHING = "no action";

const scene = byId("scene"), picture = byId("picture");
const live = { socket: null, source: null, ready: null, figure: null, sent: 0, answered: -1, at: new Map(), notes: new Set() };
const told = { label: undefined, strip: [], events: [], delays: [], parts: {}, dropped: 0, times: [] };

/* ---- The connection. ---- */

/* Say hello for a source of frames: {start: what the server is told, begin: called when it is ready, end}. */
function follow(source) {
  stopLive();
  problem("");
  const address = new URL("live", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  Object.assign(live, { socket, source, ready: null, figure: null });
  socket.onopen = () => say({ type: "start", task: byId("task").value, skeleton: true, ...source.start });
  socket.onmessage = (event) => { if (live.socket === socket) hear(JSON.parse(event.data)); };
  socket.onclose = (event) => {
    if (live.socket !== socket) return;
    stopLive();
    problem(event.reason || (event.code === 1000 ? "" : "The connection to the server has ended."));
  };
  markSource();
}

function stopLive() {
  const { socket, source } = live;
  Object.assign(live, { socket: null, source: null });
  if (source) source.end();
  if (socket) socket.close(1000);
  byId("watch").hidden = !live.ready;
  byId("hint").hidden = Boolean(live.ready);
  byId("stop").hidden = true;
  setRecording("off");
  markSource();
}

function say(message) {
  if (live.socket && live.socket.readyState === WebSocket.OPEN) live.socket.send(JSON.stringify(message));
}

const waiting = () => live.sent - 1 - live.answered;

/* A frame goes out; `send` sends it. */
function sendFrame(send) {
  live.at.set(live.sent++, performance.now());
  send();
}

const HEARD = {
  ready(message) {
    live.ready = message;
    Object.assign(live, { figure: liveFigure(message), pictures: Boolean(live.source.start.pictures), sent: 0, answered: -1, notes: new Set() });
    live.at.clear();
    Object.assign(told, { label: undefined, strip: [], events: [], delays: [], parts: {}, dropped: 0, times: [] });
    byId("watch").hidden = byId("stop").hidden = false;
    byId("hint").hidden = true;
    byId("moments").hidden = !message.recording;
    byId("with-pictures").hidden = !live.source.start.pictures;
    byId("classes").replaceChildren(...message.classes.map((name) => element("option", { value: name })));
    byId("notes").replaceChildren();
    byId("kept").textContent = "";
    setRecording("ready");
    showNow(null);
    showEvents();
    byId("scores").replaceChildren();
    live.source.begin();
  },
  answer(message) {
    answered(message);
    if (message.skeleton) seeSkeleton(message);
    const now = performance.now() / 1000;
    const best = message.probabilities ? Math.max(...message.probabilities) : 0;
    told.strip.push({ at: now, label: message.label, high: best });
    while (told.strip.length && told.strip[0].at < now - SECONDS) told.strip.shift();
    told.dropped += message.dropped;
    for (const [part, value] of Object.entries(message.milliseconds)) {
      told.parts[part] = told.parts[part] === undefined ? value : 0.9 * told.parts[part] + 0.1 * value;
    }
    message.events.forEach(addEvent);
    addNotes(message.notes);
    if (message.events.length) showEvents();
    problem("");
    showNow(message.label);
    showScores(message.probabilities);
    showLive();
  },
  error(message) {
    if ("frame" in message) answered(message);
    if (message.skeleton) {
      seeSkeleton(message);
      showLive();
    }
    problem(message.message);
    if (["start", "pictures"].includes(message.code)) stopLive();
  },
  finished(message) {
    message.events.forEach(addEvent);
    showEvents();
  },
  recording(message) {
    if (message.state === "full") setRecording("stopped", "A moment ends after ten minutes.");
    if (message.state === "stopped") setRecording("stopped", counted(message.frames, "frame"));
    if (message.state === "saved") setRecording("ready", `Kept as ${message.file}, ${counted(message.frames, "frame")}.`);
  },
};

const hear = (message) => HEARD[message.type](message);

function answered(message) {
  const now = performance.now();
  live.answered = message.frame;
  if (live.at.has(message.frame)) told.delays.push(now - live.at.get(message.frame));
  if (told.delays.length > 60) told.delays.shift();
  told.times.push(now);
  while (told.times.length && told.times[0] < now - 2000) told.times.shift();
  for (const frame of live.at.keys()) if (frame <= message.frame) live.at.delete(frame);
}

/* ---- What is drawn and told. ---- */

/* Two frames of the player: in the first each joint stands where it was seen last, in the second as it is. */
function liveFigure({ joints, bones, sides, dims, persons }) {
  const stride = persons * joints.length;
  return {
    joints, bones, sides, dims, persons, stride, recorded: persons, start: null, step: 1, quantum: 1,
    origin: Array(dims).fill(0), values: new Float32Array(2 * stride * dims), last: new Int32Array(2 * stride).fill(-1), view: null,
  };
}

function seeSkeleton({ skeleton, view }) {
  const { figure } = live, { stride, dims } = figure;
  skeleton.flat().forEach((point, slot) => {
    if (point) {
      figure.values.set(point, slot * dims);
      figure.values.set(point, (stride + slot) * dims);
    }
    figure.last[stride + slot] = point ? 1 : Math.min(figure.last[stride + slot], 0);
  });
  if (!view) return;
  if (!figure.view || dims === 2) figure.view = view;
  else figure.view = { ...view, yaw: figure.view.yaw };
}

function showLive() {
  if (!live.figure) return;
  drawScene(scene, live.figure, 1);
  const { figure } = live, somebody = figure.last.subarray(figure.stride).includes(1);
  byId("nobody").textContent = somebody ? "" : "Nobody is seen.";
  drawStrip();
  const delay = middle(told.delays), rate = told.times.length / 2;
  const shown = Object.entries(told.parts).filter(([part]) => part !== "pose" || live.pictures);
  const parts = shown.map(([part, value]) => `${part} ${value.toFixed(value < 10 ? 1 : 0)}`);
  const left = told.dropped ? ` · ${counted(told.dropped, "frame")} left out: the machine is slower than they come` : "";
  byId("figures").textContent = `latency ${delay.toFixed(0)} ms (${parts.join(", ")}) · ${rate.toFixed(0)} frames a second${left}`;
}

const middle = (values) => [...values].sort((one, other) => one - other)[values.length >> 1] ?? 0;

function showNow(label) {
  if (told.label === label) return; // it is read out when it changes
  told.label = label;
  byId("now").textContent = label ?? NOTHING;
  byId("now").className = label === null ? "nothing" : "";
}

function showScores(probabilities) {
  const scores = (probabilities || []).map((probability, place) => [live.ready.labels[place], probability]);
  scores.sort((one, other) => other[1] - one[1]);
  byId("scores").replaceChildren(...scores.slice(0, MOST_SCORES).map(([label, probability]) => bar(label, probability)));
}

function drawStrip() {
  const [pen, width, height] = fitted(byId("strip"));
  const now = performance.now() / 1000, { strip } = told;
  strip.forEach(({ at, label, high }, place) => {
    const left = Math.floor(width * (1 - (now - at) / SECONDS));
    const next = place + 1 < strip.length ? width * (1 - (now - strip[place + 1].at) / SECONDS) : width;
    const wide = Math.max(1, Math.min(Math.floor(next) - left, width / SECONDS)); // a pause leaves a gap
    pen.fillStyle = label === null ? colors.line : tone(label);
    pen.fillRect(left, height * (1 - high), wide, height * high);
  });
}

function addEvent(event) {
  const { events } = told;
  const open = events.findIndex((each) => each.label === event.label && each.event === "started");
  if (open >= 0) events[open] = event;
  else events.unshift(event);
  events.length = Math.min(events.length, MOST_EVENTS);
}

function showEvents() {
  byId("events").replaceChildren(...told.events.map((event) => {
    const [from, to] = [when(event.start, event.start_seconds), when(event.stop, event.stop_seconds)];
    const span = event.event === "started" ? `since ${from}` : `${from} to ${to}`;
    return element("li", {}, element("span", {}, event.label), element("span", {}, span), element("span", {}, percent(event.score)));
  }));
  byId("events").hidden = !told.events.length;
}

const when = (frame, seconds) => (seconds === null ? `frame ${frame}` : `${seconds.toFixed(1)} s`);

function addNotes(notes) {
  for (const note of notes) {
    if (live.notes.has(note)) continue;
    live.notes.add(note);
    byId("notes").append(element("li", {}, note));
  }
}

function problem(text) {
  if (byId("problem").textContent !== text) byId("problem").textContent = text;
}

/* ---- Sources of frames. ---- */

const sheet = document.createElement("canvas");

/* Send the picture of this moment, `seconds` of its source. */
function sendPicture(seconds) {
  if (!picture.videoWidth || waiting() >= IN_FLIGHT) return;
  const scale = Math.min(1, SIDE / Math.max(picture.videoWidth, picture.videoHeight));
  [sheet.width, sheet.height] = [Math.round(picture.videoWidth * scale), Math.round(picture.videoHeight * scale)];
  sheet.getContext("2d").drawImage(picture, 0, 0, sheet.width, sheet.height);
  const { socket } = live;
  sendFrame(() => sheet.toBlob((blob) => {
    const head = new DataView(new ArrayBuffer(8));
    head.setFloat64(0, seconds, true);
    if (live.socket === socket && socket.readyState === WebSocket.OPEN) socket.send(new Blob([head, blob]));
  }, "image/jpeg", 0.8));
}

/* Pictures of the video element until its source ends; `seconds`: of the picture that is shown. */
function pictures(name, seconds, begin, end) {
  let timer = 0, last = -Infinity;
  return {
    name, start: { pictures: true },
    begin() {
      begin();
      timer = setInterval(() => {
        const now = seconds();
        if (now <= last) return; // it is paused, or was turned back
        last = now;
        sendPicture(now);
      }, 33);
    },
    end() {
      clearInterval(timer);
      end();
      picture.hidden = true;
    },
  };
}

async function openCamera() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
  } catch (error) {
    problem(`The browser gives no camera: ${error.message}`);
    return;
  }
  follow(pictures("camera", () => performance.now() / 1000, () => {
    picture.srcObject = stream;
    picture.controls = false;
    picture.hidden = false;
    picture.play();
  }, () => {
    stream.getTracks().forEach((track) => track.stop());
    picture.srcObject = null;
  }));
}

function openVideo(file) {
  const address = URL.createObjectURL(file);
  follow(pictures("video", () => picture.currentTime, () => {
    picture.src = address;
    picture.controls = true;
    picture.hidden = false;
    picture.onended = () => say({ type: "finish" });
    picture.onerror = () => problem(`${file.name} cannot be played by this browser.`);
    picture.play();
  }, () => {
    picture.pause();
    picture.removeAttribute("src");
    picture.onended = picture.onerror = null;
    URL.revokeObjectURL(address);
  }));
}

/* A recording that the page holds, frame by frame in its own time. */
function playLive() {
  const { figure } = cards[0];
  let timer = 0, next = 0, begun = 0;
  const frame = (number) => Array.from({ length: figure.recorded }, (_, person) => figure.joints.map((_, joint) =>
    (lastSeen(figure, number, person, joint) === number ? position(figure, number, person, joint) : null)));
  follow({
    name: "recording", start: { layout: figure.joints.join(","), persons: figure.recorded },
    begin() {
      begun = performance.now();
      timer = setInterval(() => {
        const due = Math.min(figure.drawn, ((performance.now() - begun) / 1000) * (figure.rate / figure.step));
        for (; next < due && waiting() < AT_ONCE; next++) { // a slow machine plays it more slowly, and loses nothing
          const message = { type: "frame", positions: frame(next), seconds: (next * figure.step) / figure.rate };
          sendFrame(() => say(message));
        }
        if (next < figure.drawn) return;
        clearInterval(timer);
        say({ type: "finish" });
      }, 15);
    },
    end() { clearInterval(timer); },
  });
}

function markSource() {
  for (const name of ["camera", "video", "recording"]) {
    byId(name).setAttribute("aria-pressed", live.source !== null && live.source.name === name);
  }
}

/* ---- Moments that are kept. ---- */

let recording = "off"; // ready, recording, stopped

function setRecording(state, text) {
  recording = state;
  const running = state === "recording";
  byId("record").setAttribute("aria-pressed", running);
  byId("record").lastChild.textContent = running ? "Stop" : "Record";
  byId("record").disabled = state === "stopped" || state === "off";
  byId("pictures").disabled = state !== "ready";
  byId("naming").hidden = state !== "stopped";
  if (text !== undefined) byId("kept").textContent = text;
  if (state === "stopped") byId("label").focus();
}

function toggleRecording() {
  if (byId("moments").hidden) return;
  if (recording === "ready") {
    say({ type: "record", do: "start", pictures: byId("pictures").checked && !byId("with-pictures").hidden });
    setRecording("recording", "Recording …");
  } else if (recording === "recording") say({ type: "record", do: "stop" });
}

byId("naming").onsubmit = (event) => {
  event.preventDefault();
  say({ type: "record", do: "save", label: byId("label").value, subject: byId("subject").value });
};
byId("discard").onclick = () => {
  say({ type: "record", do: "discard" });
  setRecording("ready", "Not kept.");
};

/* ---- Whole recordings. ---- */

async function openRecording(file) {
  stage.setAttribute("aria-busy", "true");
  problem("");
  try {
    const query = new URLSearchParams({ task: byId("task").value, file: file.name });
    const answer = await fetch(`drawing?${query}`, { method: "POST", body: file });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    byId("whole").hidden = false;
    byId("hint").hidden = true;
    showCard(found);
  } catch (error) {
    problem(`${file.name} is not shown: ${error.message}`);
  }
  stage.removeAttribute("aria-busy");
}

function showWhole() {
  byId("whole").hidden = !cards.length;
  byId("play-live").hidden = !chosenModel().live;
}

/* ---- Start. ---- */

const chosenModel = () => data.models.find(({ task }) => task === byId("task").value);

function chooser(button, input, open) {
  byId(button).onclick = () => byId(input).click();
  byId(input).onchange = () => {
    if (byId(input).files.length) open(byId(input).files[0]);
    byId(input).value = ""; // the same file again is a choice, too
  };
}

function showModel() {
  const { live: follows, needs } = chosenModel();
  const why = follows ? data.no_pictures : needs;
  for (const name of ["camera", "video"]) byId(name).disabled = Boolean(why);
  byId("no-pictures").textContent = why && `Camera and video are off: ${why}`;
  showWhole();
}

byId("about").append(...data.about.map((line) => element("li", {}, line)));
byId("task").append(...data.models.map(({ task }) => element("option", { value: task }, task)));
byId("models").hidden = data.models.length < 2;
byId("task").onchange = () => {
  stopLive();
  showModel();
};
byId("camera").onclick = openCamera;
byId("stop").onclick = stopLive;
byId("record").onclick = toggleRecording;
byId("play-live").onclick = playLive;
chooser("video", "video-file", openVideo);
chooser("recording", "recording-file", openRecording);
KEYS.r = toggleRecording;
dragTurns(scene);
stage.addEventListener("update", showLive);
stage.addEventListener("cards", showWhole);
showModel();
repaint();
