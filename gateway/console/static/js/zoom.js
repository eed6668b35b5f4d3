// Makes a picture larger and smaller, and moves it, by its viewBox: buttons, keys, the wheel with Ctrl, dragging. Fingers
// that pinch are the browser's. Without this script a link shows the picture in the full width of the page.

const STEP = 1.5;
const MOST = 8; // times as large as the whole
const SHIFT = 0.2; // of what is seen, by one arrow

class Zoom {
  constructor(frame) {
    this.frame = frame;
    this.tools = frame.querySelector("[data-zoom-tools]");
    this.pictures = [...frame.querySelectorAll("svg.picture")].map((svg) => {
      const { width, height } = svg.viewBox.baseVal;
      return { svg, width, height };
    });
    this.scale = 1;
    this.at = { x: 0.5, y: 0.5 }; // centre of what is seen, as parts of the whole
    this.held = null; // where a drag is
    this.acts = {
      larger: () => this.zoom(STEP),
      smaller: () => this.zoom(1 / STEP),
      whole: () => this.zoom(0),
      left: () => this.move(-SHIFT, 0),
      right: () => this.move(SHIFT, 0),
      up: () => this.move(0, -SHIFT),
      down: () => this.move(0, SHIFT),
    };
    this.tools.hidden = false;
    frame.querySelector("[data-zoom-hint]").hidden = false;
    this.tools.addEventListener("click", (event) => this.acts[event.target.closest("[data-zoom-act]")?.dataset.zoomAct]?.());
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("focusin", (event) => this.reveal(event.target.closest("svg a")));
    for (const { svg } of this.pictures) {
      svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      svg.addEventListener("pointerdown", (event) => this.take(event));
      svg.addEventListener("pointermove", (event) => this.drag(event));
      svg.addEventListener("click", (event) => this.held?.moved && event.preventDefault(), true); // a drag isn't a click
      svg.addEventListener("dragstart", (event) => event.preventDefault()); // of a link
    }
    addEventListener("beforeprint", this.acts.whole);
    this.show();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { "+": "larger", "=": "larger", "-": "smaller", 0: "whole" };
    const arrows = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
    const act = keys[event.key] ?? (this.scale > 1 ? arrows[event.key] : undefined); // else they scroll the page
    if (!act) return;
    event.preventDefault();
    this.acts[act]();
  }

  wheel(event) {
    if (!event.ctrlKey) return; // scrolls the page
    event.preventDefault();
    const box = event.currentTarget.getBoundingClientRect();
    const spot = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    this.zoom(event.deltaY < 0 ? STEP : 1 / STEP, spot);
  }

  take(event) {
    if (event.button || this.scale === 1) return void (this.held = null);
    this.held = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: false };
  }

  drag(event) {
    if (this.held?.id !== event.pointerId || !event.buttons) return;
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [(this.held.x - event.clientX) / box.width, (this.held.y - event.clientY) / box.height];
    if (!this.held.moved && Math.hypot(x * box.width, y * box.height) < 5) return; // a hand that shakes
    if (!this.held.moved) event.currentTarget.setPointerCapture(event.pointerId);
    this.held = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: true };
    this.move(x, y);
  }

  // Moves by parts of what is seen.
  move(x, y) {
    this.at = { x: this.at.x + x / this.scale, y: this.at.y + y / this.scale };
    this.show();
  }

  // Makes it so many times larger (0: shows the whole); a spot, as parts of what is seen, stays where it is.
  zoom(times, spot = { x: 0.5, y: 0.5 }) {
    const scale = Math.min(MOST, Math.max(1, this.scale * times));
    const shift = 1 / this.scale - 1 / scale;
    this.at = { x: this.at.x + (spot.x - 0.5) * shift, y: this.at.y + (spot.y - 0.5) * shift };
    this.scale = scale;
    this.show();
  }

  // Brings a node that got the focus into what is seen.
  reveal(link) {
    if (!link || this.scale === 1) return;
    const { svg, width, height } = this.pictures.find(({ svg }) => svg.contains(link));
    const [node, seen] = [link.getBBox(), svg.viewBox.baseVal];
    const [x, y] = [node.x + node.width / 2, node.y + node.height / 2];
    if (x > seen.x && x < seen.x + seen.width && y > seen.y && y < seen.y + seen.height) return;
    this.at = { x: x / width, y: y / height };
    this.show();
  }

  show() {
    const half = 0.5 / this.scale;
    const within = (part) => Math.min(1 - half, Math.max(half, part));
    this.at = { x: within(this.at.x), y: within(this.at.y) };
    for (const { svg, width, height } of this.pictures) {
      const [x, y] = [(this.at.x - half) * width, (this.at.y - half) * height];
      svg.setAttribute("viewBox", `${x} ${y} ${2 * half * width} ${2 * half * height}`);
    }
    this.frame.classList.toggle("zoomed", this.scale > 1);
    const format = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
    const said = this.tools.querySelector("[data-zoom-scale]");
    if (said.textContent !== format.format(this.scale)) said.textContent = format.format(this.scale);
    for (const button of this.tools.querySelectorAll("[data-zoom-act]")) {
      const stuck = button.dataset.zoomAct === "larger" ? this.scale === MOST : this.scale === 1;
      button.setAttribute("aria-disabled", stuck); // not `disabled`, which would lose the focus
    }
  }
}

for (const frame of document.querySelectorAll("[data-zoom]")) new Zoom(frame);
