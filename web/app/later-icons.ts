// The line drawings of the app's buttons that nobody sees at first: they come with those.

export const later = {
  check: 'M5 12.8l4.6 4.6L19 7.2',
  pause: 'M9 5v14M15 5v14',
  play: 'M8 5.5v13l10.5-6.5z',
  again: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4v5h-5',
  trash:
    'M4 7h16M9.5 7V4.8c0-.5.4-.8.8-.8h3.4c.4 0 .8.3.8.8V7M6 7l.9 11.6c.1.8.7 1.4 1.5 1.4h7.2c.8 0 1.4-.6 1.5-1.4L18 7M10 11v5M14 11v5',
  left: 'M14.5 5.5 8 12l6.5 6.5',
  right: 'M9.5 5.5 16 12l-6.5 6.5',
} as const
