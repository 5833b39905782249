/* What a person thinks of an answer: good or bad, and why. It goes into the run's journal. */

/** A thumb; drawn, because not every machine has a font for emoji. */
const THUMB = 'M1.5 7.5h3v7h-3z M6 7.7 8.6 1.6c1.2 0 2 .9 2 2V6.3h3a1.3 1.3 0 0 1 1.3 1.5l-.9 5.4a1.5 1.5 0 0 1-1.5 1.3H6z';

export function makeRating({ React, request }) {
  const h = React.createElement;
  const { useState } = React;

  return function Rating({ told }) {
    const [given, setGiven] = useState(null);
    const [asking, setAsking] = useState(false);
    const [fault, setFault] = useState('');
    const rating = given ? given.rating : told.rating;
    const reason = given ? given.reason : told.reason;

    const rate = async (good, why) => {
      try {
        await request('ratings', { run_id: told.run_id, good, reason: why });
        setGiven({ rating: good ? 'good' : 'bad', reason: why });
        setAsking(!why);
        setFault('');
      } catch (error) {
        setFault(`Not kept: ${error.message}`);
      }
    };

    const thumb = good =>
      h('svg', { width: 14, height: 14, viewBox: '0 0 16 16', fill: 'none', stroke: 'currentColor',
                 strokeWidth: 1.3, strokeLinejoin: 'round', 'aria-hidden': true },
        h('path', { d: THUMB, transform: good ? undefined : 'rotate(180 8 8)' }));

    const button = (good, label) =>
      h('button', {
        className: 'mh-button', 'aria-label': label, title: label,
        'aria-pressed': rating === (good ? 'good' : 'bad'), onClick: () => rate(good, '')
      }, thumb(good));

    return h('div', { className: 'mh-row mh-rating', role: 'group', 'aria-label': 'Your rating' },
      button(true, 'The answer is good'),
      button(false, 'The answer is bad'),
      asking
        ? h('input', {
            className: 'mh-reason', placeholder: 'Why? (Enter keeps it)', autoFocus: true,
            'aria-label': 'Why the answer is good or bad',
            onKeyDown: event => {
              event.stopPropagation();
              if (event.key === 'Enter') rate(rating === 'good', event.target.value.trim());
              if (event.key === 'Escape') setAsking(false);
            }
          })
        : null,
      h('span', { className: 'mh-quiet', role: 'status' },
        fault || (rating ? `kept: ${rating}${reason ? `, ${reason}` : ''}` : '')));
  };
}
