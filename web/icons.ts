// The line drawings beside words: path data in a 24-unit square, stroked, never filled. A drawing
// only ever repeats what a word beside it says.

const sheet = 'M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5'
const frame = 'M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z'
const circle = 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z'
const triangle =
  'M10.6 4.8 3.2 17.6A1.6 1.6 0 0 0 4.6 20h14.8a1.6 1.6 0 0 0 1.4-2.4L13.4 4.8a1.6 1.6 0 0 0-2.8 0z'
const notes =
  'M9 18a2.8 2.8 0 1 1-5.6 0A2.8 2.8 0 0 1 9 18zM20 16a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0z'
const lid =
  'M4.5 4h15A.5.5 0 0 1 20 4.5V8.5a.5.5 0 0 1-.5.5h-15a.5.5 0 0 1-.5-.5v-4a.5.5 0 0 1 .5-.5z'

export const icons = {
  search: 'M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM20 20l-4-4',
  warn: `${triangle}M12 9.5v4M12 16.7v.1`,
  bad: `${circle}M12 7.8V13M12 16.2v.1`,
  ok: `${circle}M8.3 12.2l2.6 2.6 4.8-5.2`,
  folder: 'M3 7a2 2 0 0 1 2-2h4l2.3 2.6H19a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z',
  file: sheet,
  text: `${sheet}M9 13h6M9 17h4`,
  code: `${sheet}M10.4 12.4 8.6 15l1.8 2.6M13.6 12.4l1.8 2.6-1.8 2.6`,
  image: `${frame}M8.6 8.4v.1M20 15l-4.2-4.2L6.6 20`,
  film: `${frame}M8.2 4v16M15.8 4v16M4 9.3h4.2M4 14.7h4.2M15.8 9.3H20M15.8 14.7H20`,
  sound: `${notes}M9 18V6l11-2v12`,
  archive: `${lid}M5.5 9v9a2 2 0 0 0 2 2h9a2 2 0 0 0 2-2V9M10 13h4`,
  folderUp: `M3 7a2 2 0 0 1 2-2h4l2.3 2.6H19a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM12 16.4v-5.2M9.4 13.4l2.6-2.6 2.6 2.6`,
  upload:
    'M4 15.5V18a2.5 2.5 0 0 0 2.5 2.5h11A2.5 2.5 0 0 0 20 18v-2.5M12 16V4M7.2 8.6 12 3.8l4.8 4.8',
  download:
    'M4 15.5V18a2.5 2.5 0 0 0 2.5 2.5h11A2.5 2.5 0 0 0 20 18v-2.5M12 4v12M7.2 11.4l4.8 4.8 4.8-4.8',
  more: 'M6 12a1 1 0 1 1-2 0 1 1 0 0 1 2 0zM13 12a1 1 0 1 1-2 0 1 1 0 0 1 2 0zM20 12a1 1 0 1 1-2 0 1 1 0 0 1 2 0z',
  close: 'M6 6l12 12M18 6 6 18',
  keyboard:
    'M5 6h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2zM7 10v.1M10.3 10v.1M13.7 10v.1M17 10v.1M8 14h8',
  moon: 'M19.5 14.2A8 8 0 0 1 9.8 4.5a8 8 0 1 0 9.7 9.7z',
  sun: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.8v1.7M12 19.5v1.7M2.8 12h1.7M19.5 12h1.7M5.5 5.5l1.2 1.2M17.3 17.3l1.2 1.2M18.5 5.5l-1.2 1.2M6.7 17.3l-1.2 1.2',
  down: 'M6 9.5l6 6 6-6',
  ascending: 'M12 19V5M6.5 10.5 12 5l5.5 5.5',
  descending: 'M12 5v14M6.5 13.5 12 19l5.5-5.5',
} as const

export type IconName = keyof typeof icons
