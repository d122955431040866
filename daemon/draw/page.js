// SPDX-License-Identifier: BSD-2-Clause
// The page of a flame graph. Frames are the children of one <svg>, in the order of a walk through the tree, with their places in
// percent. A frame that is chosen gets the whole width; so do those above it, and what is beside it is gone.
(function () {
	"use strict";

	const NEAR = 1e-3; // percent: two frames begin at the same place
	const READABLE = 24; // pixels that a name needs
	const picture = document.querySelector("svg.flame");
	const find = document.getElementById("find");
	const told = document.getElementById("told");
	const all = document.getElementById("all");
	const frames = Array.from(picture.children, (element) => ({
		element,
		x: parseFloat(element.getAttribute("x")),
		width: parseFloat(element.getAttribute("width")),
		y: Number(element.getAttribute("y")),
		text: element.querySelector("text"),
		name: element.querySelector("title").textContent.split("\n")[0],
	}));
	let chosen = frames[0];

	function isAbove(f) {
		return f.y < chosen.y && f.x <= chosen.x + NEAR && f.x + f.width >= chosen.x + chosen.width - NEAR;
	}

	function isBelow(f) {
		return f.y >= chosen.y && f.x >= chosen.x - NEAR && f.x + f.width <= chosen.x + chosen.width + NEAR;
	}

	function lay() {
		const pixels = picture.clientWidth;
		for (const f of frames) {
			const above = isAbove(f);
			const width = above ? 100 : (f.width / chosen.width) * 100;
			f.element.style.display = above || isBelow(f) ? "" : "none";
			f.element.setAttribute("x", (above ? 0 : ((f.x - chosen.x) / chosen.width) * 100) + "%");
			f.element.setAttribute("width", Math.max(width, 0) + "%");
			f.text.setAttribute("display", (width * pixels) / 100 < READABLE ? "none" : "inline");
		}
		all.disabled = chosen === frames[0];
	}

	function mark() {
		const word = find.value.toLowerCase();
		let share = 0, end = -1, n = 0;
		for (const f of frames) {
			const hit = word !== "" && f !== frames[0] && f.name.toLowerCase().includes(word);
			f.element.classList.toggle("hit", hit);
			n += hit;
			if (hit && f.x >= end - NEAR) { // not below another one
				share += f.width;
				end = f.x + f.width;
			}
		}
		told.textContent = word === "" ? "" : `${n} ${n === 1 ? "frame" : "frames"}, ${share.toFixed(2)} % of the width`;
	}

	function choose(f) {
		chosen = f;
		lay();
	}

	if (!chosen)
		return;
	for (const f of frames)
		f.element.addEventListener("click", () => choose(f));
	all.addEventListener("click", () => choose(frames[0]));
	find.addEventListener("input", mark);
	find.form.addEventListener("submit", (event) => event.preventDefault());
	document.addEventListener("keydown", (event) => {
		if (event.key === "Escape")
			choose(frames[0]);
	});
	addEventListener("resize", lay);
	find.form.hidden = false;
	lay();
})();
