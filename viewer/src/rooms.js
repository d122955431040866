// SPDX-License-Identifier: BSD-2-Clause
// The rooms of the page, by name: what mounts each, see stage.js.
import { mountDiff } from './rooms/diff/room.js';
import { mountFlame } from './rooms/flame/room.js';
import { mountGraph } from './rooms/graph/room.js';
import { mountLines } from './rooms/lines/room.js';
import { mountOverview } from './rooms/overview/room.js';
import { mountRecord } from './rooms/record/room.js';
import { mountTime } from './rooms/time/room.js';

export const MOUNT = { overview: mountOverview, time: mountTime, graph: mountGraph, flame: mountFlame, lines: mountLines, diff: mountDiff, record: mountRecord };
